"""What the live proof of the heat control must have shown."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

WARM_C: Final = 70.0  # thermal.passive_c
LIMIT_C: Final = 80.0  # from here on the firmware throttles
SLOWED: Final = 0.8  # of the free rate, or less, is what a pace should show
RECOVERED: Final = 0.7  # of the free rate, or more: the machine does other things too
EARLY: Final = 5  # rows from which the free rate is taken


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The state at one second.

    Attributes:
        at: Seconds since the first request.
        celsius: As the state topic tells.
        throttle: Likewise.
        tps: tok/s of decode; None where nothing decoded.
        pace_tps: tok/s that an answer is held to.
    """

    at: float
    celsius: float | None = None
    throttle: str = "none"
    tps: float | None = None
    pace_tps: float | None = None


class Check(msgspec.Struct, frozen=True):
    """One thing to have been seen, with the figure that shows it."""

    name: str
    ok: bool
    shown: str


def judge(rows: Sequence[Row], hottest: float, answers: Sequence[str]) -> list[Check]:
    """All checks.

    Args:
        rows: In order.
        hottest: Degrees C of the simulated die at its hottest, looked at more often than rows are.
        answers: The status of each reply.
    """
    free = _rate([row for row in rows if row.throttle == "none"][:EARLY])
    paced = [row for row in rows if row.throttle == "paced"]
    slow, late = _rate(paced), _rate(rows[-EARLY:])
    refused = [status for status in answers if status != "ok"]
    recovered = bool(rows) and rows[-1].throttle == "none" and late >= RECOVERED * free > 0
    return [
        Check("it heated up", hottest >= WARM_C, f"{hottest:.1f} C at the hottest"),
        Check("it was paced", bool(paced), f"{len(paced)} of {len(rows)} seconds"),
        Check(
            "the pace slowed it",
            0 < slow <= SLOWED * free,
            f"{slow:.0f} tok/s paced, {free:.0f} free",
        ),
        Check("it stayed under the firmware's limit", hottest <= LIMIT_C, f"{LIMIT_C:.0f} C"),
        Check("it recovered", recovered, f"{late:.0f} tok/s at the end"),
        Check(
            "every prompt was answered",
            bool(answers) and not refused,
            f"{len(answers)} asked, {len(refused)} not ok",
        ),
    ]


def _rate(rows: Sequence[Row]) -> float:
    """Median tok/s; 0 where nothing decoded."""
    return median([row.tps for row in rows if row.tps is not None] or [0.0])
