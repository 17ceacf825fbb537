"""What one reading cannot show of a lying sensor: leaps that silicon cannot make, a stuck value."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from edged.thermal.readings import NoReading, Reading

# A Pi 5's processor takes 12 W at most, and its die lies some 1.5 K/W above its lid: all cores at
# once lift it by 18 C within a second or two. What lies behind the lid follows by less than 2 C/s.
LEAP_C = 20.0
SLEW_C_PER_S = 2.0
# Between rest and load lie at least 2 W, and a cooler has 3 K/W or more: 6 C, ten of the sensor's
# steps of 0.55 C. One millidegree through a minute of each is no temperature.
REST_CORES, LOAD_CORES = 0.5, 1.5
EACH_S = 60.0
MAX_GAP_S = 60.0  # between two looks; beyond it nobody knows what the load was


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a sensor.

    Attributes:
        celsius: What was believed last; None before the first.
        at: When, in seconds of a clock that only goes forward.
        doubted: A leap that was not believed yet; None if the last reading was no leap.
        doubted_at: When that came.
        looked: When the last reading of any kind came.
        rested_s: Seconds at rest since the value last changed.
        loaded_s: Seconds under load since then.
    """

    celsius: float | None = None
    at: float = 0.0
    doubted: float | None = None
    doubted_at: float = 0.0
    looked: float = 0.0
    rested_s: float = 0.0
    loaded_s: float = 0.0


def judge(
    trust: Trust, reading: Reading | NoReading, cores: float, now: float
) -> tuple[Trust, Reading | NoReading]:
    """Believe a reading, or say why not.

    Args:
        trust: What is remembered; begin with `Trust()`.
        reading: As the sensor gave it.
        cores: Cores at work since the reading before.
        now: Seconds of a clock that only goes forward.

    Returns:
        What to remember, and the reading or the reason to take none.
    """
    if isinstance(reading, NoReading):
        return replace(trust, looked=now, doubted=None), reading
    celsius = reading.celsius
    trust = _aged(trust, celsius, cores, now)
    if min(trust.rested_s, trust.loaded_s) >= EACH_S:
        reason = f"the sensor has said {celsius:g} C through rest and load alike"
        return trust, NoReading(reason)
    if _is_leap(trust, celsius, now):
        before = trust.celsius
        trust = replace(trust, doubted=celsius, doubted_at=now)
        return trust, NoReading(f"the sensor leapt from {before:g} to {celsius:g} C")
    return replace(trust, celsius=celsius, at=now, doubted=None), reading


def _aged(trust: Trust, celsius: float, cores: float, now: float) -> Trust:
    """With the time since the last look counted, if the value is the same as then."""
    passed = min(now - trust.looked, MAX_GAP_S) if trust.celsius is not None else 0.0
    if celsius != trust.celsius:
        return replace(trust, looked=now, rested_s=0.0, loaded_s=0.0)
    return replace(
        trust,
        looked=now,
        rested_s=trust.rested_s + (passed if cores <= REST_CORES else 0.0),
        loaded_s=trust.loaded_s + (passed if cores >= LOAD_CORES else 0.0),
    )


def _is_leap(trust: Trust, celsius: float, now: float) -> bool:
    """Whether it can follow neither what was believed nor the leap before it."""
    if trust.celsius is None:
        return False
    steady = _reaches(trust.celsius, celsius, now - trust.at)
    confirmed = trust.doubted is not None and _reaches(
        trust.doubted, celsius, now - trust.doubted_at
    )
    return not (steady or confirmed)


def _reaches(before: float, after: float, seconds: float) -> bool:
    return abs(after - before) <= LEAP_C + SLEW_C_PER_S * max(0.0, seconds)
