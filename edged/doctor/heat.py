"""Checks of heat: the cooler, the temperature, what the firmware takes away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.doctor.finding import Finding, ok, skipped
from edged.thermal.readings import Fan, NoReading, Reading, Senses, Throttled

if TYPE_CHECKING:
    from edged.models.facts import DeviceFacts

PI = "Raspberry Pi"
# The firmware cuts the clock of a Pi from 80 C, in steps, and harder from 85 C.
LIMIT_C = 80.0
NEAR_C = 75.0  # from here the firmware's own curve turns its fan fully
# From what duty a fan must turn: the firmware's first step is 75 of 255.
MUST_TURN_PWM = 75


def cooler(device: DeviceFacts, senses: Senses) -> Finding:
    """Whether there is a fan, and whether it turns when it is driven."""
    fan = senses.fan
    if isinstance(fan, Fan):
        evidence = _fan_words(fan)
        if fan.rpm == 0 and (fan.pwm or 0) >= MUST_TURN_PWM:
            return Finding(
                code="fan_stopped",
                severity="error",
                text="the fan is driven and does not turn",
                evidence=evidence,
                advice="see that nothing holds it and that its plug sits; else it needs another",
            )
        return ok("cooler", "there is a fan", evidence)
    if device.cooler:
        return ok("cooler", "there is a fan", "the kernel knows of one that tells no speed")
    if not (device.board or "").startswith(PI):
        return skipped("cooler", "elsewhere than on a Pi the kernel need not know of a fan")
    return Finding(
        code="no_fan",
        severity="warning",
        text="no fan that the firmware drives",
        evidence=fan.reason,
        advice="put the Active Cooler on: without one a Pi 5 is at 80 C after a minute or two of "
        "answers, and edged then paces them",
    )


def temperature(device: DeviceFacts, senses: Senses) -> Finding:
    """How warm it is now."""
    found = senses.temperature
    if isinstance(found, NoReading):
        if not (device.board or "").startswith(PI):
            return skipped("temperature", found.reason)
        return Finding(
            code="no_temperature",
            severity="warning",
            text="no sensor tells the temperature, so edged keeps a conservative pace",
            evidence=found.reason,
            advice="see whether /sys/class/thermal has a zone of type cpu-thermal",
        )
    return _warmth(found)


def _warmth(found: Reading) -> Finding:
    evidence = f"{found.celsius:.1f} C"
    if found.celsius < NEAR_C:
        return ok("temperature", "the processor is cool enough", evidence)
    hot = found.celsius >= LIMIT_C
    return Finding(
        code="hot" if hot else "warm",
        severity="warning" if hot else "advice",
        text="the processor is so hot that the firmware slows it"
        if hot
        else "the processor is near the firmware's limit",
        evidence=f"{evidence}; the limit is {LIMIT_C:g} C",
        advice="give the board air or a cooler",
    )


def throttling(senses: Senses) -> Finding:
    """What the firmware takes away, now and since the board started."""
    told = senses.throttled
    if isinstance(told, NoReading):
        return skipped("throttling", told.reason)
    evidence = f"throttled={told.bits:#x}: {_words(told)}"
    if told.bits == 0:
        return ok("throttling", "the firmware has taken nothing away since boot", evidence)
    now = told.capped or told.throttled or told.soft
    if _only_supply(told) or (not now and _only_supply(told.since_boot)):
        return ok("throttling", "heat is not what the firmware slows the board for", evidence)
    return Finding(
        code="throttled" if now else "was_throttled",
        severity="warning",
        text="the firmware slows the board now"
        if now
        else "the firmware has slowed the board since it started",
        evidence=evidence,
        advice="give the board a cooler; edged paces itself below the limit if it reads the "
        "temperature",
    )


def _only_supply(told: Throttled) -> bool:
    """A weak supply caps and throttles too; the soft limit is of heat alone."""
    return told.undervoltage and not told.soft


def _words(told: Throttled) -> str:
    seen = told.since_boot
    names = ("undervoltage", "capped", "throttled", "soft")
    now = [name for name in names if getattr(told, name)]
    before = [name for name in names if getattr(seen, name)]
    return f"now {', '.join(now) or 'nothing'}; since boot {', '.join(before) or 'nothing'}"


def _fan_words(fan: Fan) -> str:
    speed = "speed unknown" if fan.rpm is None else f"{fan.rpm} rpm"
    return speed if fan.pwm is None else f"{speed} at a duty of {fan.pwm} of 255"
