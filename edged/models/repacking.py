"""Which tensors llama.cpp rearranges for a CPU when it loads them.

As `ggml_repack_get_optimal_repack_type` of llama.cpp in llama-cpp-python 0.3.36 decides;
`bench/fit.py` compares with what a child takes. RISC-V, s390 and AMX are left out.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from edged.models.gguf import Header, Tensor

# What a CPU can do, by the names that Linux and llama.cpp have for it.
_AVX2 = frozenset({"avx2"})
_AVX512 = frozenset({"avx512f", "avx512"})
_DOT = frozenset({"asimddp", "dotprod"})
_I8MM = frozenset({"i8mm", "matmul_int8"})
# type: (features of which one is enough, rows that are interleaved), the first that fits counts
_RULES = MappingProxyType(
    {
        "q4_0": ((_AVX2, 8), (_I8MM | _DOT, 4)),
        "q4_K": ((_AVX2 | _I8MM | _DOT, 8),),
        "q2_K": ((_AVX512, 8),),
        "q5_K": ((_I8MM | _DOT, 8),),
        "q6_K": ((_I8MM | _DOT, 8),),
        "iq4_nl": ((_AVX2, 8), (_DOT, 4)),
        "mxfp4": ((_AVX2, 8), (_DOT, 4)),
        "q8_0": ((_I8MM | _DOT, 4),),
        "q1_0": ((_I8MM | _DOT, 4),),
    }
)
EMBEDDING = "token_embd.weight"
OUTPUT = "output.weight"
_MATRIX, _EXPERTS = 2, 3  # dimensions
# matrices that are looked up, added or convolved, and never multiplied with
_OTHER_USES = ("norm", "ssm_conv1d", "ssm_a", "ssm_d", "shortconv.conv", ".bias", "rope_freqs")


def repackable(kind: str, rows: int, features: Collection[str]) -> bool:
    """Whether a matrix of this type is rearranged.

    Args:
        kind: Name of its ggml type.
        rows: Its second dimension.
        features: Of the CPU.
    """
    return any(
        not needed.isdisjoint(features) and rows % interleaved == 0
        for needed, interleaved in _RULES.get(kind, ())
    )


def is_repacked(tensor: Tensor, features: Collection[str]) -> bool:
    """Whether llama.cpp moves this tensor into memory of its own."""
    if tensor.name == EMBEDDING or len(tensor.dims) not in {_MATRIX, _EXPERTS}:
        return False
    if any(part in tensor.name for part in _OTHER_USES):
        return False
    return repackable(tensor.type, tensor.dims[1], features)


def output_copy(header: Header, features: Collection[str]) -> int:
    """Bytes of the embedding's rearranged copy where it serves as the output too, else 0."""
    named = {tensor.name: tensor for tensor in header.tensors}
    embedding = named.get(EMBEDDING)
    if embedding is None or OUTPUT in named:
        return 0
    return embedding.nbytes if repackable(embedding.type, embedding.dims[1], features) else 0


def repacked_bytes(header: Header, features: Collection[str]) -> int:
    """Bytes of the map whose weights are rearranged elsewhere."""
    return sum(tensor.nbytes for tensor in header.tensors if is_repacked(tensor, features))


def droppable_bytes(header: Header, features: Collection[str]) -> int:
    """Bytes of such weights whose pages stay in the map although nobody reads them again.

    llama.cpp gives back what lies before the first and behind the last tensor that it maps.
    """
    moved = [is_repacked(tensor, features) for tensor in header.tensors]
    kept = [place for place, gone in enumerate(moved) if not gone]
    if not kept:
        return 0
    inner = range(kept[0], kept[-1])
    return sum(header.tensors[place].nbytes for place in inner if moved[place])
