"""How fast a download may be, and how slow."""

from __future__ import annotations

BURST_S = 1.0  # seconds of the rate that may come at once; other calls in the house hear more


class TokenBucket:
    """Holds a rate on average over a second.

    Args:
        rate: Bytes per second, above 0; None lets everything pass.
        now: Seconds of a clock that never jumps.
    """

    def __init__(self, rate: float | None, now: float) -> None:
        self._rate = rate
        self._tokens = 0.0  # not full: many short attempts must not come to more than the rate
        self._now = now

    def take(self, size: int, now: float) -> float:
        """Count `size` bytes that came; returns the seconds to wait before the next are read."""
        if self._rate is None:
            return 0.0
        elapsed = max(0.0, now - self._now)
        self._now = max(now, self._now)
        self._tokens = min(self._rate * BURST_S, self._tokens + elapsed * self._rate) - size
        return max(0.0, -self._tokens / self._rate)


class LeastRate:
    """Tells a line that drips from one that flows.

    Only the time spent waiting for bytes counts: a pause of our own is not the server's fault.

    Args:
        rate: Bytes per second below which a line is slow.
        window: Seconds over which it is judged.
    """

    def __init__(self, rate: float, window: float) -> None:
        self._rate = rate
        self._window = window
        self._waited = 0.0
        self._bytes = 0

    def on(self, size: int, waited: float) -> bool:
        """`size` bytes came after `waited` seconds; whether the line is too slow."""
        self._waited += waited
        self._bytes += size
        if self._waited < self._window:
            return False
        slow = self._bytes < self._rate * self._waited
        self._waited, self._bytes = 0.0, 0
        return slow
