"""When the next token of a paced stream is due: evenly, and never two at once to catch up."""

from __future__ import annotations

from math import inf
from typing import Final

# A token may come earlier than a period after the last one by this share of it, if that one was
# late. A step that is late by a fraction is made up for; one that was late by far is not, since
# who reads along sees a burst and not an average.
CATCH_UP: Final = 0.25


class Cadence:
    """Spaces the steps that decode; all streams that decode share them.

    Up to any moment there were at most as many tokens as the cap allows, and `CATCH_UP` of one.
    """

    def __init__(self) -> None:
        self._period_s = 0.0
        self._last_at = -inf
        self._due_at = -inf

    def set(self, tps: float | None) -> None:
        """At most so many tok/s of each stream; None is as fast as it goes."""
        self._period_s = 0.0 if tps is None else 1.0 / tps
        self._due_at = self._last_at + self._period_s

    def wait_s(self, now: float) -> float:
        """Seconds until the next token is due; 0 if it is."""
        return max(0.0, self._due_at - now)

    def took(self, now: float) -> None:
        """The step that began at `now` decodes a token of each stream."""
        earliest = now + (1.0 - CATCH_UP) * self._period_s
        self._due_at = max(self._due_at + self._period_s, earliest)
        self._last_at = now
