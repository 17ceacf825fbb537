"""A clock that a test moves by hand."""

from __future__ import annotations


class FakeClock:
    """Starts at the given seconds and stands still until moved."""

    def __init__(self, monotonic: float = 1000.0, wall: float = 1.7e9) -> None:
        self._monotonic = monotonic
        self._wall = wall

    def monotonic(self) -> float:
        return self._monotonic

    def wall(self) -> float:
        return self._wall

    def advance(self, seconds: float) -> None:
        self._monotonic += seconds
        self._wall += seconds

    def step_wall(self, seconds: float) -> None:
        self._wall += seconds
