"""What a model takes of memory besides its file."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from edged.models.metadata import Geometry

# Bytes of one element as (numerator, denominator): q8_0 stores 32 of them and a scale in 34.
_ELEMENT = MappingProxyType({"f16": (2, 1), "q8_0": (34, 32)})
MIB = 1 << 20


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that a variant takes of memory.

    Attributes:
        weights: Of the file, mapped.
        repacked: Of weights that are rearranged: anonymous memory instead of the map.
        kv: Keys and values of the streams, or recurrent states.
        prefix: Keys and values of kept beginnings of prompts.
        compute: The engine's buffers of a step.
        overhead: The process itself: interpreter, libraries, vocabulary.
    """

    weights: int
    repacked: int = 0
    kv: int = 0
    prefix: int = 0
    compute: int = 0
    overhead: int = 0

    @property
    def total(self) -> int:
        """Bytes in all."""
        parts = (self.weights, self.repacked, self.kv, self.prefix, self.compute, self.overhead)
        return sum(parts)


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of memory that may be used.

    Attributes:
        have: The least of all limits, less the reserve for the rest of the house.
        limit: Which one it is: `memory`, `cgroup` or `cap`.
        reserve: Bytes that were taken off.
    """

    have: int
    limit: str
    reserve: int = 0


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a variant has room here."""

    need: Need
    budget: Budget

    @property
    def ok(self) -> bool:
        """Whether it does."""
        return self.need.total <= self.budget.have


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
