"""Holding the target when heat or load keeps the rate down: one variant lower, and back again.

Only what was sustained counts, and only while something was decoded: an idle board proves nothing.
A step up that had to be taken back makes the next try wait twice as long, up to a day; so a board
that is too warm every afternoon changes a few times and not all day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

Move: TypeAlias = Literal["stay", "down", "up"]

SHORTFALL = 0.05  # under the target by more than this it is no measurement error
MARGIN = 0.02  # the better variant must meet the target with this to spare
LOW_S = 600.0  # seconds of decoding too slowly before a step down: longer than one hot answer
HIGH_S = 1800.0  # seconds with room to spare before a step up: a change costs a load
RELAPSE_S = 3600.0  # a step down so soon after one up takes it back
MOST_WAIT_S = 86_400.0
MAX_GAP_S = 60.0  # seconds that one sample may stand for


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered between samples.

    Attributes:
        rung: Steps below the chosen variant, 0 is the chosen one.
        low_s: Seconds of decoding under the target since the rate last met it.
        high_s: Seconds in which the better variant would have met it.
        wait_s: Seconds of that which a step up takes.
        rose_at: When the last step up was; None if there was none.
        seen_at: When the last sample came; None before the first.
    """

    rung: int = 0
    low_s: float = 0.0
    high_s: float = 0.0
    wait_s: float = HIGH_S
    rose_at: float | None = None
    seen_at: float | None = None


def step(
    state: Hold, rate: float | None, tps: Sequence[float], target: float, now: float
) -> tuple[Hold, Move]:
    """Take one sample; the caller changes the variant between two requests, if at all.

    Args:
        state: As the last step left it; a new choice starts with `Hold()`.
        rate: tok/s that was sustained of late; None while nothing was decoded.
        tps: What each rung does on a cool idle board, the chosen variant first, ascending; all
            above 0.
        target: tok/s.
        now: Seconds, monotonic.
    """
    gap = 0.0 if state.seen_at is None else min(MAX_GAP_S, max(0.0, now - state.seen_at))
    state = replace(state, seen_at=now, rung=min(state.rung, len(tps) - 1))
    if rate is None:
        return state, "stay"
    low = rate < target * (1 - SHORTFALL)
    state = replace(
        state,
        low_s=state.low_s + gap if low else 0.0,
        high_s=state.high_s + gap if _room(state.rung, rate, tps, target) else 0.0,
    )
    if state.low_s >= LOW_S and state.rung < len(tps) - 1:
        return _down(state, now), "down"
    if state.high_s >= state.wait_s:
        return replace(state, rung=state.rung - 1, low_s=0.0, high_s=0.0, rose_at=now), "up"
    return state, "stay"


def _room(rung: int, rate: float, tps: Sequence[float], target: float) -> bool:
    """Whether the next better variant would meet the target under the same heat and load."""
    if rung == 0:
        return False
    return rate * tps[rung - 1] / tps[rung] >= target * (1 + MARGIN)


def _down(state: Hold, now: float) -> Hold:
    relapse = state.rose_at is not None and now - state.rose_at < RELAPSE_S
    wait = min(MOST_WAIT_S, 2 * state.wait_s) if relapse else state.wait_s
    if state.rose_at is not None and not relapse:
        wait = HIGH_S  # what it rose to was held for a while, so the past is forgiven
    return replace(state, rung=state.rung + 1, low_s=0.0, high_s=0.0, wait_s=wait, rose_at=None)
