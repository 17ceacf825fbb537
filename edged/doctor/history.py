"""What recorded rates tell: how fast the file is, and whether it was faster before a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.doctor.finding import Finding, ok, skipped
from edged.models.settings import preferred

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.doctor.facts import Rates
    from edged.models.facts import DeviceFacts
    from edged.models.figures import Measurement

# Beyond what a rate differs by when it is measured twice.
SLOWER = 0.95
# A sustained rate holds contexts of all lengths, and is lower than tg128 by some.
SUSTAINED = 0.8


def rate(rates: Rates, target: float) -> Finding:
    """What the file that serves does, as measured here and as the daemon keeps it.

    Args:
        rates: What was recorded.
        target: tok/s wanted.
    """
    best, sustained = best_of(rates), rates.sustained
    measured = None if best is None else best.tps
    if sustained is None and measured is None:
        return skipped("rate", "no rate was recorded on this board with this engine")
    evidence = _rate_words(rates, measured)
    if sustained is not None and measured and sustained < SUSTAINED * measured:
        return Finding(
            code="slower_than_measured",
            severity="warning",
            text="answers come more slowly than this board can",
            evidence=evidence,
            advice="the findings named slow_... tell why, if it can be seen now",
        )
    if max(sustained or 0.0, measured or 0.0) < target * SLOWER:
        return Finding(
            code="below_target",
            severity="advice",
            text="what serves is slower than the target",
            evidence=f"{evidence}; {target:g} wanted",
            advice="edged explain tells whether another file meets it",
        )
    return ok("rate", "answers come as fast as this board can", evidence)


def history(device: DeviceFacts, rates: Rates) -> Finding | None:
    """Whether the file was faster with another engine, kernel, firmware or cooler."""
    now = best_of(rates)
    for before in _earlier(rates):
        engine = before.build != rates.build and device.fingerprint(before.build) == before.board
        what = "engine" if engine else "board"
        if now is None:
            return _unmeasured(before, what)
        if now.tps < before.tps * SLOWER and not now.hot:
            return _regressed(before, now, what)
    return None


def prediction(rates: Rates) -> Finding | None:
    """Whether the file is slower than what calibration promised."""
    best, promised = best_of(rates), rates.prediction
    if best is None or promised is None or best.hot or best.tps >= promised.low * SLOWER:
        return None
    return Finding(
        code="slower_than_calibrated",
        severity="advice",
        text="the file is slower than this board's calibration promised",
        evidence=f"measured {best.tps:.2f} tok/s, promised {promised.low:.2f} to "
        f"{promised.high:.2f}",
        advice="one of both was taken while others computed: edged calibrate, then edged bench",
    )


def best_of(rates: Rates) -> Measurement | None:
    """What was measured of the file that serves with the engine and board of now."""
    mine = [each for each in rates.measured if each.digest == rates.serves]
    return next(iter(preferred(each for each in mine if each.board == rates.board)), None)


def _earlier(rates: Rates) -> Iterator[Measurement]:
    """Measurements of the file that serves, with something else than now, the newest first."""
    known = (each for each in rates.measured if each.digest == rates.serves)
    others = [each for each in known if each.board != rates.board and not each.hot]
    yield from sorted(others, key=lambda each: each.wall, reverse=True)


def _unmeasured(before: Measurement, what: str) -> Finding:
    changed = "the engine" if what == "engine" else "board, kernel, firmware, governor or cooler"
    return Finding(
        code=f"{what}_changed",
        severity="advice",
        text=f"{changed} changed since the file was measured",
        evidence=f"{before.tps:.2f} tok/s before",
        advice="edged bench, or wait: edged measures it while nobody asks",
    )


def _regressed(before: Measurement, now: Measurement, what: str) -> Finding:
    changed = (
        f"the engine changed ({before.build[:40] or 'unknown'} to {now.build[:40] or 'unknown'})"
        if what == "engine"
        else "kernel, firmware, governor or cooler changed"
    )
    return Finding(
        code=f"slow_by_{what}",
        severity="warning",
        text=f"the file was faster before {changed}",
        evidence=f"{before.tps:.2f} tok/s before, {now.tps:.2f} now "
        f"({now.tps / before.tps - 1:+.0%})",
        advice="go back to the release before and tell its makers"
        if what == "engine"
        else "see what was updated; edged doctor judges firmware, governor and cooler above",
    )


def _rate_words(rates: Rates, measured: float | None) -> str:
    parts = [] if measured is None else [f"{measured:.2f} tok/s measured"]
    if rates.sustained is not None:
        parts.append(f"{rates.sustained:.2f} over the last 15 minutes")
    return f"{rates.name}: {', '.join(parts)}"
