"""The runs in hand: who goes first, who computes now, and who shares with whom."""

from __future__ import annotations

from bisect import insort
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from edged.engine.worker.reading import Reading, due_at, leader_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.engine.frames import Generate
    from edged.engine.worker.run import Run


class Arrival(NamedTuple):
    """A request that has no tokens yet; `at` is when it came, in monotonic seconds."""

    request: Generate
    at: float

    @property
    def rank(self) -> tuple[int, float]:
        """As that of the run it becomes."""
        return self.request.priority, due_at(self.request, self.at)


class Runs:
    """At most `slots` runs: the lowest priority number first, then who must end sooner, the oldest.

    Args:
        streams: How many compute side by side.
        slots: How many there may be.
    """

    def __init__(self, streams: int, slots: int) -> None:
        self._streams = streams
        self._slots = slots
        self._runs: list[Run] = []
        self.arrived: list[Arrival] = []
        self._cancelled: set[str] = set()

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to compute."""
        return not self._runs and not self.arrived

    @property
    def full(self) -> bool:
        """Whether no further request may come."""
        return len(self._runs) + len(self.arrived) >= self._slots

    @property
    def free(self) -> bool:
        """Whether a newcomer would compute at once."""
        return len(self._runs) < self._streams

    @property
    def active(self) -> list[Run]:
        """Those that compute now."""
        return self._runs[: self._streams]

    def knows(self, key: str) -> bool:
        """Whether a run of this key is in hand."""
        return any(run.key == key for run in self._runs) or any(
            arrival.request.key == key for arrival in self.arrived
        )

    def add(self, run: Run, known: int, *, partial: bool) -> None:
        """Take in a run whose prompt is known to the context up to `known` tokens."""
        readers = [other for other in self._runs if other.reading]
        leader = leader_of(run.prompt, readers, known, partial=partial)
        if leader is not None:
            run.follow(*leader)
        run.cancelled = run.key in self._cancelled
        self._cancelled.discard(run.key)
        insort(self._runs, run, key=attrgetter("rank"))

    def remove(self, run: Run) -> None:
        """It is over."""
        self._runs.remove(run)

    @property
    def next_end(self) -> float:
        """When the first of them must have ended, in monotonic seconds; inf: none must."""
        return min((run.ends_at for run in self._runs), default=inf)

    def cancel(self, key: str) -> None:
        """End that run before its next step; other keys are ignored."""
        for run in self._runs:
            if run.key == key:
                run.cancelled = True
        if any(arrival.request.key == key for arrival in self.arrived):
            self._cancelled.add(key)

    def turn_away(self, key: str) -> None:
        """A newcomer becomes no run; whoever has its key later is another one."""
        self._cancelled.discard(key)

    def interrupts(self, step: list[Reading], now: float) -> bool:
        """Whether a step that only reads prompts is to be given up for something better."""
        if not step:
            return False
        if any(reader.cancelled or reader.ends_at <= now for reader in step):
            return True
        first = min(reader.rank for reader in step)
        return any(arrival.rank < first for arrival in self.arrived)
