"""What rates with and without a schema prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bench.by_model import by_model
from bench.report import Figure, Result, judged, median, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GOAL: Final = ">= 0.9"


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two rates, one measured right after the other.

    Attributes:
        model: Its name.
        free_tps: Tok/s without a schema.
        bound_tps: Tok/s with one.
    """

    model: str
    free_tps: float
    bound_tps: float

    @property
    def ratio(self) -> float:
        """With over without."""
        return self.bound_tps / self.free_tps


def judge(pairs: Sequence[Pair], conditions: dict[str, str | float]) -> Result:
    """The ratio of each model against the goal."""
    return by_model(
        pairs,
        _figures,
        curve="with a schema / without",
        value=lambda pair: pair.ratio,
        conditions=conditions,
    )


def _figures(model: str, pairs: Sequence[Pair]) -> Iterator[Figure]:
    yield told(f"{model}: without a schema", median(pair.free_tps for pair in pairs), "tok/s")
    yield told(f"{model}: with one", median(pair.bound_tps for pair in pairs), "tok/s")
    yield judged(f"{model}: with / without", median(pair.ratio for pair in pairs), GOAL)
