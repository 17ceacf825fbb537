"""From a temperature to the speed of a fan that the firmware does not drive."""

from __future__ import annotations

import math

# Degrees C and share of full speed: the firmware's own defaults on a Pi 5 (fan_temp0..3 and
# fan_temp0..3_speed of 255), so that a fan on a pin behaves as one on the connector.
CURVE = ((50.0, 0.3), (60.0, 0.5), (67.5, 0.7), (75.0, 1.0))
HYSTERESIS_C = 5.0  # fan_temp0..3_hyst
FULL = len(CURVE)  # the highest step; 0 is off


def step(before: int, celsius: float | None) -> int:
    """The step to run at.

    A step is entered at its temperature and left more than `HYSTERESIS_C` below, so a temperature
    that stays within such a band never moves the step up and down.

    Args:
        before: The step it runs at, 0 to `FULL`.
        celsius: Of the processor; None or nan, where no sensor tells, is full speed.
    """
    if celsius is None or math.isnan(celsius):
        return FULL
    entered = sum(celsius >= trip for trip, _ in CURVE)
    kept = sum(celsius >= trip - HYSTERESIS_C for trip, _ in CURVE)
    return max(entered, min(before, kept))


def share(at: int) -> float:
    """The share of full speed of a step, 0 to 1."""
    return CURVE[at - 1][1] if at else 0.0
