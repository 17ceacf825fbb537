"""What a model takes of memory besides its file."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.models.metadata import Geometry

# Bytes of one element as (numerator, denominator): q8_0 stores 32 of them and a scale in 34.
_ELEMENT = MappingProxyType({"f16": (2, 1), "q8_0": (34, 32)})
MIB = 1 << 20


def kv_bytes_per_token(geometry: Geometry, kv_type: str) -> int:
    """Bytes of cached keys and values of one token, over all blocks.

    Args:
        geometry: Blocks without attention have no heads and count nothing.
        kv_type: f16 or q8_0.
    """
    width = geometry.key_length + geometry.value_length
    numerator, denominator = _ELEMENT[kv_type]
    return sum(geometry.head_counts_kv) * width * numerator // denominator


def tokens_in(mib: int, per_token: int, most: int) -> int:
    """Tokens for which `mib` MiB have room, at most `most`.

    A model without attention keeps whole states, whatever their number of tokens: `most`, if there
    is any room at all.
    """
    if mib == 0 or per_token == 0:
        return most if mib else 0
    return min(most, mib * MIB // per_token)
