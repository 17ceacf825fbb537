"""The header of a GGUF file, read with suspicion: a model file is code to the engine that maps it.

What llama.cpp refuses is refused here by name; so is what it has crashed on (counts, zero
dimensions, overflowing sizes, alignment, block counts, arrays of the wrong type). Numbers are
Python's, which do not overflow. Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from edged.models.cursor import UINT32, Bad, Cursor, More, bad
from edged.models.ggml import TYPES
from edged.models.metadata import Geometry, geometry

if TYPE_CHECKING:
    from edged.models.ggml import TensorType

MAGIC = b"GGUF"
VERSIONS = (2, 3)  # 1 had 32-bit lengths and is refused by llama.cpp too
FIXED_BYTES = 24  # magic, version and two counts
MAX_KEYS = 4096  # real files have 20 to 60
MAX_TENSORS = 16_384  # the largest models of 2026 have about 1,100
MAX_DIMS = 4  # ggml's GGML_MAX_DIMS
MAX_TENSOR_NAME_BYTES = 63  # ggml's GGML_MAX_NAME less its NUL
MAX_ALIGNMENT = 1 << 20  # real files have 32; 2^31 has overflowed the engine's padding
DEFAULT_ALIGNMENT = 32  # by the format's definition
ALIGNMENT = "general.alignment"  # of any other type than uint32 it has ended the engine
MIN_KEY_BYTES, MIN_TENSOR_BYTES = 14, 33  # the least one entry takes, to refuse counts early

_BYTE_SWAPPED = 0xFFFF  # a version with nothing in its low half was written big-endian


class Tensor(msgspec.Struct, frozen=True, gc=False):
    """One tensor.

    Attributes:
        name: As llama.cpp looks it up.
        type: The name of its ggml type.
        dims: Its extents, fastest first.
        offset: Bytes from the start of the data.
        nbytes: Bytes it takes.
    """

    name: str
    type: str
    dims: tuple[int, ...]
    offset: int
    nbytes: int


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a sound file says about itself.

    Attributes:
        version: Of the format, 2 or 3.
        geometry: What the model is made of.
        file_type: llama.cpp's number for the mix of types, if it is said.
        alignment: Bytes to which each tensor is aligned.
        data_offset: Bytes from the start of the file to the first tensor.
        tensors: In the order of the file.
    """

    version: int
    geometry: Geometry
    file_type: int | None
    alignment: int
    data_offset: int
    tensors: tuple[Tensor, ...]

    @property
    def tensor_bytes(self) -> int:
        """Bytes of all tensors, without padding."""
        return sum(tensor.nbytes for tensor in self.tensors)


class BadHeader(msgspec.Struct, frozen=True):
    """Why the file cannot be used, in one printable line."""

    reason: str


class NeedMore(msgspec.Struct, frozen=True):
    """The prefix ends before the header does.

    Attributes:
        bytes: The least prefix that gets further; it is at most the file and 32 MiB.
    """

    bytes: int


def read(data: bytes | bytearray | memoryview, file_size: int) -> Header | BadHeader | NeedMore:
    """The header in the first bytes of a file; nothing is raised whatever they are.

    Arrays are stepped over, so memory stays in the order of `data` and time under 0.2 s.

    Args:
        data: The first bytes of the file, all of it or not.
        file_size: Bytes of the whole file.
    """
    cursor = Cursor(memoryview(data)[: max(0, file_size)], file_size)
    try:
        return _read(cursor, bytes(data[:4]), file_size)
    except Bad as fault:
        return BadHeader(str(fault))
    except More as more:
        return NeedMore(more.needed)


def _read(cursor: Cursor, magic: bytes, file_size: int) -> Header:
    if magic != MAGIC[: len(magic)]:
        bad("not a GGUF file")
    cursor.require(FIXED_BYTES, "the first 24 bytes")
    cursor.position = len(MAGIC)
    version = cursor.number(UINT32, "the version")
    if version & _BYTE_SWAPPED == 0:
        bad("big-endian, which this machine cannot map")
    if version not in VERSIONS:
        bad(f"GGUF version {version}; known are 2 and 3")
    tensor_count = _count(cursor, "tensors", MAX_TENSORS)
    key_count = _count(cursor, "metadata keys", MAX_KEYS)
    cursor.require_room(key_count * MIN_KEY_BYTES + tensor_count * MIN_TENSOR_BYTES)
    values = _metadata(cursor, key_count)
    alignment = _alignment(values.get(ALIGNMENT, DEFAULT_ALIGNMENT))
    model = geometry(values)
    tensors = _tensors(cursor, tensor_count, alignment)
    data_offset = _padded(cursor.position, alignment)
    end = data_offset + tensors[-1].offset + tensors[-1].nbytes
    if end > file_size:
        bad(f"cut off: its tensors end at byte {end}, the file at {file_size}")
    return Header(
        version=version,
        geometry=model,
        file_type=_file_type(values.get("general.file_type")),
        alignment=alignment,
        data_offset=data_offset,
        tensors=tensors,
    )


def _count(cursor: Cursor, what: str, limit: int) -> int:
    count = int(cursor.number(10, f"the number of {what}"))
    if not 1 <= count <= limit:
        bad(f"{count} {what}; 1 to {limit} are possible")
    return count


def _metadata(cursor: Cursor, count: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for index in range(count):
        key = cursor.name(f"metadata key {index}")
        if key in values:
            bad(f"the key {key} stands twice")
        values[key] = cursor.value(key)
        if key == ALIGNMENT and cursor.kind != UINT32:
            bad(f"{key} has the value type {cursor.kind}, and must have {UINT32}")
    return values


def _alignment(value: int) -> int:
    if not 1 <= value <= MAX_ALIGNMENT or value & (value - 1):
        bad(f"the alignment {value} is not a power of two up to {MAX_ALIGNMENT}")
    return value


def _file_type(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _tensors(cursor: Cursor, count: int, alignment: int) -> tuple[Tensor, ...]:
    tensors: dict[str, Tensor] = {}
    end = 0
    for index in range(count):
        tensor = _tensor(cursor, index)
        if tensor.name in tensors:
            bad(f"the tensor {tensor.name} stands twice")
        if tensor.offset != end:  # llama.cpp's rule too; so none overlaps and none hides bytes
            bad(f"the tensor {tensor.name} is at {tensor.offset}, and the one before ends at {end}")
        tensors[tensor.name] = tensor
        end = _padded(end + tensor.nbytes, alignment)
    return tuple(tensors.values())


def _tensor(cursor: Cursor, index: int) -> Tensor:
    name = cursor.name(f"the name of tensor {index}", MAX_TENSOR_NAME_BYTES)
    count = cursor.number(UINT32, name)
    if not 1 <= count <= MAX_DIMS:
        bad(f"the tensor {name} has {count} dimensions; 1 to {MAX_DIMS} are possible")
    dims = tuple(int(cursor.number(10, name)) for _ in range(count))
    if 0 in dims:
        bad(f"the tensor {name} has a dimension of zero")
    number = cursor.number(UINT32, name)
    kind = TYPES.get(number)
    if kind is None:
        bad(f"the tensor {name} has the unknown type {number}")
    return Tensor(name, kind.name, dims, int(cursor.number(10, name)), _nbytes(name, dims, kind))


def _nbytes(name: str, dims: tuple[int, ...], kind: TensorType) -> int:
    if dims[0] % kind.block:
        bad(f"rows of the tensor {name} are no whole blocks of {kind.name}")
    size = dims[0] // kind.block * kind.size
    for extent in dims[1:]:
        size *= extent
    return size


def _padded(size: int, alignment: int) -> int:
    return (size + alignment - 1) // alignment * alignment
