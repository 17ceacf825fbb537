"""What decoding beside busy processes proves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bench.others import QUIET
from bench.report import Figure, Result, Series, judged, median, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SHIPPED: Final = "as shipped"
KEPT_GOAL: Final = ">= 0.45"  # of alone, with one neighbour on two cores: a fair share less 10 %


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One window of decoding.

    Attributes:
        setup: How the child ran.
        neighbours: Busy processes beside it.
        rate: Decoded tokens per second.
        theirs: Rounds per second of a neighbour, over the rate it has alone; None without one.
        others: Cores that processes took which are not of the bench.
    """

    setup: str
    neighbours: int
    rate: float
    theirs: float | None = None
    others: float = 0.0


def judge(
    measured: Sequence[Measured],
    back_s: Sequence[float | None],
    conditions: dict[str, str | float],
) -> Result:
    """Turn what was measured into figures.

    Args:
        measured: Every window of every round.
        back_s: How long after the neighbour had gone the full rate was back; None if it was not.
        conditions: What held.
    """
    setups = list(dict.fromkeys(one.setup for one in measured))
    figures = [figure for setup in setups for figure in _figures(setup, _by_count(measured, setup))]
    disturbed = sum(one.others >= QUIET for one in measured) / len(measured)
    back = [seconds for seconds in back_s if seconds is not None]
    late = told("seconds until the full rate is back, median", median(back), "s")
    return Result(
        figures=(*figures, late, told("windows in which others computed", 100 * disturbed, "%")),
        conditions=conditions,
        notes=("the full rate did not come back in time",) if len(back) < len(back_s) else (),
        series=tuple(_series(measured, setups)),
    )


def _by_count(measured: Iterable[Measured], setup: str) -> dict[int, list[Measured]]:
    groups: dict[int, list[Measured]] = {}
    for one in measured:
        if one.setup == setup:
            groups.setdefault(one.neighbours, []).append(one)
    return groups


def _undisturbed(group: list[Measured]) -> list[Measured]:
    """Without those in which others computed, if that leaves any."""
    return [one for one in group if one.others < QUIET] or group


def _figures(setup: str, groups: dict[int, list[Measured]]) -> Iterator[Figure]:
    groups = {count: _undisturbed(group) for count, group in groups.items()}
    alone = median(one.rate for one in groups.pop(0))
    yield told(f"{setup}: alone", alone, "tok/s")
    for count, group in groups.items():
        rate = median(one.rate for one in group)
        kept = rate / alone if rate is not None and alone else None
        theirs = median(one.theirs for one in group if one.theirs is not None)
        beside = f"{setup}: {count} busy"
        yield told(beside, rate, "tok/s")
        if setup == SHIPPED and count == 1:
            yield judged(f"{beside}, of alone", kept, KEPT_GOAL)
            yield judged(f"{beside}, the neighbour keeps", theirs, KEPT_GOAL)
        else:
            yield told(f"{beside}, of alone", kept)
            yield told(f"{beside}, a neighbour keeps", theirs)


def _series(measured: Sequence[Measured], setups: Sequence[str]) -> Iterator[Series]:
    for setup in setups:
        for count, group in _by_count(measured, setup).items():
            values = tuple(one.rate for one in group)
            yield Series(name=f"{setup}, {count} busy", unit="tok/s", values=values)
