"""The one place where edged asks what time it is."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one to measure with, one to stamp records that outlive a boot."""

    def monotonic(self) -> float:
        """Seconds since some fixed point; never jumps."""

    def wall(self) -> float:
        """Seconds since 1970 in UTC; may jump, so it is only ever stored."""


class SystemClock:
    """The clocks of this machine."""

    def monotonic(self) -> float:
        """Seconds of CLOCK_MONOTONIC."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds of CLOCK_REALTIME."""
        return time.clock_gettime(time.CLOCK_REALTIME)
