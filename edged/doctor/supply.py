"""Checks of the power supply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.doctor.finding import Finding, ok, skipped
from edged.thermal.readings import Alarm, NoReading, Throttled, Volts

if TYPE_CHECKING:
    from edged.doctor.finding import Severity
    from edged.thermal.readings import Senses

# A good supply gives 4.9 V behind the board's protection; the firmware's alarm is at 4.63 V.
LOW_V, TOO_LOW_V = 4.80, 4.70
ADVICE = "take a supply made for the board (27 W, 5.1 V at 5 A for a Pi 5) and a short cable"


def supply(senses: Senses) -> Finding:
    """Whether the board gets enough, now and since it started."""
    evidence = _evidence(senses)
    if not evidence:
        return skipped("supply", "neither firmware nor kernel tells of the supply")
    told = senses.throttled
    if senses.undervoltage:
        return _weak("undervoltage", "error", "the supply is too weak now", evidence)
    if isinstance(senses.volts, Volts) and senses.volts.volts < TOO_LOW_V:
        return _weak("supply_low", "error", "the supply is about to be too weak", evidence)
    if isinstance(told, Throttled) and told.since_boot.undervoltage:
        text = "the supply has been too weak since the board started"
        return _weak("was_undervoltage", "warning", text, evidence)
    if isinstance(senses.volts, Volts) and senses.volts.volts < LOW_V:
        return _weak("supply_low", "warning", "the supply is rather weak", evidence)
    return ok("supply", "the supply is strong enough", evidence)


def _weak(code: str, severity: Severity, text: str, evidence: str) -> Finding:
    return Finding(code=code, severity=severity, text=text, evidence=evidence, advice=ADVICE)


def _evidence(senses: Senses) -> str:
    parts = []
    if isinstance(senses.volts, Volts):
        parts.append(f"EXT5V {senses.volts.volts:.2f} V")
    if isinstance(senses.alarm, Alarm):
        parts.append(f"the kernel's alarm is {'on' if senses.alarm.on else 'off'}")
    if not isinstance(senses.throttled, NoReading):
        parts.append(f"throttled={senses.throttled.bits:#x}")
    return ", ".join(parts)
