"""What a file's header says of a variant, better than any catalogue."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from edged.models.variants import Family, Kind, Variant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.models.gguf import Header

BITS = 8
# Types whose blocks a CPU unpacks without tables: K-quants and the older ones before them.
CPU_TYPES = frozenset(
    {"q2_K", "q3_K", "q4_K", "q5_K", "q6_K", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q8_K"}
)


def kind_of(header: Header) -> Kind:
    """KQ or IQ, by the types that most of the quantised bytes have; `other` without any.

    The name of a file says less: files named IQ4_XS can be mostly K-quants.
    """
    sizes: Counter[Kind] = Counter()
    for tensor in header.tensors:
        sizes[_kind(tensor.type)] += tensor.nbytes
    del sizes["other"]
    return sizes.most_common(1)[0][0] if sizes else "other"


def parameters(header: Header) -> int:
    """Weights of all tensors."""
    return sum(_weights(tensor.dims) for tensor in header.tensors)


def refined(variant: Variant, header: Header, size: int) -> Variant:
    """The variant with what its own header knows: kind, bits per weight and exact size.

    Args:
        variant: As the catalogue has it.
        header: Of the file.
        size: Bytes of the file.
    """
    bpw = header.tensor_bytes * BITS / parameters(header)
    return replace(variant, bytes=size, bytes_are="exact", bpw=round(bpw, 3), kind=kind_of(header))


def own_family(file: str, path: str, header: Header, size: int) -> Family:
    """A family for a file that no catalogue names.

    Args:
        file: Its name.
        path: Where it is.
        header: Of the file.
        size: Bytes of the file.
    """
    name = file.removesuffix(".gguf")
    model = header.geometry
    variant = Variant(id=name, family=name, file=file, path=path)
    return Family(
        id=name,
        name=model.name or name,
        architecture=model.architecture,
        parameters=parameters(header),
        context=model.n_ctx_train,
        variants=(refined(variant, header, size),),
    )


def with_own_families(families: Iterable[Family], own: Iterable[Family]) -> tuple[Family, ...]:
    """The catalogue's families and those of files, before the fallbacks.

    A file that someone put there is meant to be used, but what its quality is nobody says.
    """
    listed = tuple(families)
    fallbacks = tuple(family for family in listed if family.fallback)
    first = tuple(family for family in listed if not family.fallback)
    taken = {family.id for family in listed}
    return (*first, *(family for family in own if family.id not in taken), *fallbacks)


def _kind(kind: str) -> Kind:
    if kind in CPU_TYPES:
        return "KQ"
    return "IQ" if kind.startswith("iq") else "other"


def _weights(dims: tuple[int, ...]) -> int:
    count = 1
    for extent in dims:
        count *= extent
    return count
