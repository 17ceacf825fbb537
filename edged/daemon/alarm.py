"""The next moment at which some room has to do something though nobody asks."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Alarm:
    """Rings once, at the time that was set last.

    Args:
        ring: Called then, in the loop that runs when the time is set.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._at = -inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: float, now: float) -> None:
        """Ring at `at` (monotonic seconds), and not when it was set to before."""
        self.cancel()
        self._at = at
        self._timer = asyncio.get_running_loop().call_later(max(0.0, at - now), self._ring)

    def due(self, now: float) -> bool:
        """Whether its time has come; so it has before it was ever set."""
        return now >= self._at

    def cancel(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
