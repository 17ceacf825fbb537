"""What the firmware does about heat: it lowers the clock, and says so in bits."""

from __future__ import annotations

from typing import Final

FULL_MHZ: Final = 2400.0
SOFT_MHZ: Final = 1500.0  # where the soft limit ends
HARD_MHZ: Final = 600.0
SOFT_C: Final = 80.0
HARD_C: Final = 85.0
HARD_SPAN_C: Final = 5.0
STEP_MHZ: Final = 200.0  # a second: the clock follows the temperature by steps
CAPPED, THROTTLED, SOFT = 1 << 1, 1 << 2, 1 << 3  # of the answer to get_throttled
SINCE_BOOT: Final = 16  # the same bits, so far up, stay set


def wanted_mhz(celsius: float) -> float:
    """The clock for a temperature: full to 80 C, down to 85 C, steeper from there."""
    if celsius <= HARD_C:
        over = max(0.0, celsius - SOFT_C) / (HARD_C - SOFT_C)
        return FULL_MHZ - over * (FULL_MHZ - SOFT_MHZ)
    over = min(1.0, (celsius - HARD_C) / HARD_SPAN_C)
    return SOFT_MHZ - over * (SOFT_MHZ - HARD_MHZ)


def clock(mhz: float, celsius: float, dt: float) -> float:
    """The clock `dt` seconds later, in MHz."""
    step = STEP_MHZ * dt
    return min(mhz + step, max(mhz - step, wanted_mhz(celsius)))


def bits(before: int, mhz: float, celsius: float) -> int:
    """What get_throttled answers now."""
    now = SOFT * (celsius >= SOFT_C) | THROTTLED * (celsius >= HARD_C) | CAPPED * (mhz < FULL_MHZ)
    return now | now << SINCE_BOOT | before >> SINCE_BOOT << SINCE_BOOT
