"""A saved prefix as bytes: what it is of, under a keyed digest, and the state itself.

    magic and version   8 bytes
    digest             32 bytes, BLAKE2b with the key of this installation over all that follows
    length              4 bytes, of the header
    header              JSON
    zeros               up to a multiple of 4096, so that the state can be mapped
    state               as the child wrote it

llama.cpp reads a state with trust, so only what we wrote ourselves is ever given to it.
"""

from __future__ import annotations

import hashlib
import struct
from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec
from msgspec import Meta

from edged.engine import frames

if TYPE_CHECKING:
    from collections.abc import Iterable

MAGIC = b"edgedkv\x01"  # the last byte is the version
KEY_BYTES = 32
DIGEST_BYTES = 32
NAME_BYTES = 16  # 128 bits of a keyed digest: no two prefixes of a house meet
ALIGNMENT = 4096  # pages of every board we know; one of 16 KiB maps a little more
# The messages went through one frame, and the rest is small.
MAX_HEADER_BYTES = 1 << 20

_FIXED = struct.Struct(f"<8s{DIGEST_BYTES}sI")
FIXED_BYTES = _FIXED.size
_DIGESTED_FROM = FIXED_BYTES - 4
_STATE_USE, _NAME_USE = b"edged state", b"edged name"

Short = Annotated[str, Meta(max_length=256)]
KvType: TypeAlias = frames.KvType
Line: TypeAlias = frames.Line
Messages: TypeAlias = frames.Messages
Size: TypeAlias = frames.Size


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All whose change makes a state worthless.

    Attributes:
        model: Digest of the model file.
        build: Version and digest of the engine's libraries.
        system: What the engine says about itself and this processor.
        machine: The architecture, for bytes in memory are those of the machine.
        description: What the engine calls the model.
        n_params: Its parameters.
        n_vocab: Its vocabulary.
        kv_type: Of the cached keys and values.
        flash_attention: Whether it is used; without it values lie in another order.
    """

    model: Short
    build: Short
    system: Line
    machine: Short
    description: Line
    n_params: Size
    n_vocab: Size
    kv_type: KvType
    flash_attention: bool


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file says about its state.

    Attributes:
        identity: Of the engine that wrote it.
        name: The persona's; None if its use made it worth keeping.
        messages: What was read.
        tokens: How many tokens that was.
        state_bytes: Bytes of the state.
        uses: How often it was asked for when it was saved.
        saved_at: Seconds since 1970.
    """

    identity: Identity
    name: Short | None
    messages: Messages
    tokens: Size
    state_bytes: Annotated[int, Meta(ge=1, le=2**53)]
    uses: Size
    saved_at: float = 0.0


class BadState(msgspec.Struct, frozen=True):
    """Why a file is not to be used, in a few words without any of its text."""

    reason: str


def file_name(key: bytes, identity: Identity, messages: Messages) -> str:
    """What the file of this prefix is called: the same one as long as nothing changed."""
    data = msgspec.json.encode((identity, messages))
    return hashlib.blake2b(data, key=key, person=_NAME_USE, digest_size=NAME_BYTES).hexdigest()


def is_akin(one: Identity, other: Identity) -> bool:
    """Whether they differ in settings alone, which may be set back, or measured anew."""
    return _plain(one) == _plain(other)


def file_bytes(header: Header) -> int:
    """How large the file of this header is."""
    return _padded(FIXED_BYTES + len(msgspec.json.encode(header))) + header.state_bytes


def seal(key: bytes, header: Header, state: Iterable[bytes | memoryview]) -> bytes:
    """What stands in the file before the state.

    Args:
        key: Of this installation.
        header: Of the file.
        state: All of the state, in pieces.

    Raises:
        ValueError: The state is not as long as the header says, or the header is too long.
    """
    text = msgspec.json.encode(header)
    if len(text) > MAX_HEADER_BYTES:
        message = f"a header of {len(text)} bytes"
        raise ValueError(message)
    end = FIXED_BYTES + len(text)
    covered = struct.pack("<I", len(text)) + text + bytes(-end % ALIGNMENT)
    digest, size = _digest(key, covered, state)
    if size != header.state_bytes:
        message = f"{size} bytes of state, and {header.state_bytes} were promised"
        raise ValueError(message)
    return MAGIC + digest + covered


def front_bytes(first: bytes) -> int | BadState:
    """How many bytes stand before the state, told from the first FIXED_BYTES of a file."""
    if len(first) < FIXED_BYTES:
        return BadState("cut off")
    magic, _, length = _FIXED.unpack_from(first)
    if magic[:-1] != MAGIC[:-1]:
        return BadState("no saved prefix")
    if magic != MAGIC:
        return BadState("of another version")
    if not 0 < length <= MAX_HEADER_BYTES:
        return BadState("damaged")
    return _padded(FIXED_BYTES + int(length))


def parse_header(front: bytes, file_bytes: int) -> Header | BadState:
    """The header; it is not to be believed before `verify`.

    Args:
        front: The first `front_bytes` of the file, or what there is of them.
        file_bytes: Of the whole file.
    """
    size = front_bytes(front)
    if isinstance(size, BadState):
        return size
    if len(front) < size:
        return BadState("cut off")
    length = _FIXED.unpack_from(front)[2]
    try:
        header = _decoder.decode(front[FIXED_BYTES : FIXED_BYTES + length])
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors; nesting recurses
        return BadState("damaged")
    if file_bytes != size + header.state_bytes:
        return BadState("cut off" if file_bytes < size + header.state_bytes else "damaged")
    return header


def verify(key: bytes, front: bytes, state: Iterable[bytes | memoryview]) -> BadState | None:
    """Whether we wrote this file, byte for byte; None if so.

    Args:
        key: Of this installation.
        front: All that stands before the state.
        state: All that follows, in pieces; each is looked at once and not kept.
    """
    said = front[len(MAGIC) : _DIGESTED_FROM]
    digest, _ = _digest(key, front[_DIGESTED_FROM:], state)
    if not compare_digest(digest, said):
        return BadState("damaged, or written by another installation")
    return None


_decoder = msgspec.json.Decoder(Header)


def _digest(key: bytes, covered: bytes, state: Iterable[bytes | memoryview]) -> tuple[bytes, int]:
    digest = hashlib.blake2b(covered, key=key, person=_STATE_USE, digest_size=DIGEST_BYTES)
    size = 0
    for piece in state:
        digest.update(piece)
        size += len(piece)
    return digest.digest(), size


def _padded(size: int) -> int:
    return size + -size % ALIGNMENT


def _plain(identity: Identity) -> Identity:
    return msgspec.structs.replace(identity, kv_type="f16", flash_attention=False)
