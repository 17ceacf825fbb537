"""A temperature one can act on: no single spike in it, and which way it goes."""

from __future__ import annotations

from math import exp
from statistics import median_low

import msgspec
from msgspec.structs import replace

READINGS = 3  # the median of three is blind to one that lies
# The Pi 5's sensor steps by 0.55 C. Between these two means a ramp of one step in ten seconds is
# told from noise, and the die's own jump at a new load (about five seconds) is seen as it comes.
FAST_S, SLOW_S = 3.0, 15.0


class Smooth(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of the readings.

    Attributes:
        last: The newest readings in degrees C, oldest first.
        fast: Their mean over `FAST_S`; nothing before `READINGS` were seen.
        slow: Their mean over `SLOW_S`.
    """

    last: tuple[float, ...] = ()
    fast: float | None = None
    slow: float = 0.0

    @property
    def slope(self) -> float:
        """Degrees C a second: of a ramp, one mean lags behind the other by what lies between."""
        return 0.0 if self.fast is None else (self.fast - self.slow) / (SLOW_S - FAST_S)


def take(state: Smooth, celsius: float, dt: float) -> Smooth:
    """Take a reading, `dt` seconds after the one before."""
    last = (*state.last, celsius)[-READINGS:]
    if len(last) < READINGS:
        return replace(state, last=last)
    middle = median_low(last)
    if state.fast is None:
        return Smooth(last=last, fast=middle, slow=middle)
    return Smooth(
        last=last,
        fast=approach(state.fast, middle, dt, FAST_S),
        slow=approach(state.slow, middle, dt, SLOW_S),
    )


def approach(value: float, goal: float, dt: float, tau: float) -> float:
    """`value` on its way to `goal`, `dt` seconds on, with a time constant of `tau` seconds."""
    return goal + (value - goal) * exp(-dt / tau)
