"""Why answers are slow: each cause by itself, each with what shows it in the recorded rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.doctor import history
from edged.doctor.finding import Finding, ok
from edged.thermal.readings import Clock, Pressure, Throttled

if TYPE_CHECKING:
    from edged.doctor.facts import Facts, Rates
    from edged.models.figures import Measurement
    from edged.thermal.readings import Senses

# Of ten seconds: a twentieth without any work, or a tenth in which somebody waited for memory.
FULL_PERCENT, SOME_PERCENT = 5.0, 10.0
# Without neighbours the engine's threads never wait for a core; a fifth of the time is felt.
WAITING_PERCENT = 20.0
# A clock below this share of its highest is held down, as jitter of readings is below 1 %.
CLOCK_SHARE = 0.95


def causes(facts: Facts) -> list[Finding]:
    """Each cause of slowness that shows; one finding that none does if so."""
    rates = facts.rates
    checks = (
        _heat(facts.senses, rates),
        _supply(facts.senses),
        _memory(facts),
        _load(facts),
        history.history(facts.device, rates),
        history.prediction(rates),
    )
    found = [finding for finding in checks if finding is not None]
    return found or [ok("slow", "nothing that makes a board slow is to be seen")]


def _heat(senses: Senses, rates: Rates) -> Finding | None:
    best = history.best_of(rates)
    shown = []
    if _is_heat(senses):
        shown.append(f"the firmware slows the board now{_clock_words(senses)}")
    if rates.paced == "paced":
        shown.append("edged paces itself to stay below the firmware's limit")
    if best is not None and best.hot:
        shown.append(f"the file was measured hot: {best.tps:.2f} tok/s{_celsius(best)}")
    if not shown:
        return None
    return Finding(
        code="slow_by_heat",
        severity="warning",
        text="heat makes answers slow",
        evidence="; ".join(shown),
        advice="a cooler; then edged bench, so that a cool measurement takes the hot one's place",
    )


def _is_heat(senses: Senses) -> bool:
    """The soft limit is of heat alone; a weak supply throttles too."""
    told = senses.throttled
    if not isinstance(told, Throttled):
        return False
    return told.soft or (told.throttled and not senses.undervoltage)


def _supply(senses: Senses) -> Finding | None:
    if not senses.undervoltage:
        return None
    return Finding(
        code="slow_by_supply",
        severity="warning",
        text="the weak supply makes answers slow: the firmware caps the clock",
        evidence=f"under-voltage now{_clock_words(senses)}",
        advice="another supply; no setting helps",
    )


def _memory(facts: Facts) -> Finding | None:
    pressure = facts.senses.pressure
    if not isinstance(pressure, Pressure):
        return None
    if pressure.full < FULL_PERCENT and pressure.some < SOME_PERCENT:
        return None
    mib = facts.kernel.swapped >> 20
    return Finding(
        code="slow_by_memory",
        severity="warning",
        text="want of memory makes answers slow: weights are read from the disk again and again",
        evidence=f"of ten seconds {pressure.full:g} % stood still and {pressure.some:g} % waited "
        f"for memory, {mib} MiB are swapped",
        advice="end what else takes memory, or lower model.memory_mib or model.context, so that a "
        "smaller file is chosen",
    )


def _load(facts: Facts) -> Finding | None:
    waiting = facts.kernel.cpu
    if waiting is None or waiting < WAITING_PERCENT:
        return None
    return Finding(
        code="slow_by_load",
        severity="warning",
        text="others compute on this board, and answers wait for a core",
        evidence=f"in {waiting:g} % of ten seconds a task waited for a core",
        advice="top tells who; engine.threads one lower leaves that one a core",
    )


def _clock_words(senses: Senses) -> str:
    clock = senses.clock
    if not isinstance(clock, Clock) or clock.max_khz is None:
        return ""
    if clock.khz >= CLOCK_SHARE * clock.max_khz:
        return ""
    return f", the clock is {clock.khz // 1000} of {clock.max_khz // 1000} MHz"


def _celsius(measurement: Measurement) -> str:
    return "" if measurement.temp_c is None else f" at {measurement.temp_c:.0f} C"
