"""Telling those who wait where they stand."""

from __future__ import annotations

from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING

from edged.serving import deadlines
from edged.serving.effects import SendProgress

if TYPE_CHECKING:
    from edged.serving.backlog import Backlog
    from edged.serving.effects import Effect
    from edged.serving.request import Request
    from edged.serving.running import Run, Running

# Who stands further back is told once: each start would otherwise cost a message to everyone.
MAX_TOLD = 10


class Positions:
    """Remembers who was told what, and tells what changed."""

    def __init__(self, backlog: Backlog, running: Running) -> None:
        self._backlog = backlog
        self._running = running
        self._changes = 0
        self._told: dict[str, int] = {}

    def tell(self, mean_s: float, now: float) -> list[Effect]:
        """Progress for those of the first `MAX_TOLD` whose position is new."""
        if self._backlog.changes == self._changes:
            return []
        self._changes = self._backlog.changes
        order = self._backlog.order(MAX_TOLD)
        takes = (_takes_s(entry.request, mean_s) for entry in order)
        ahead = accumulate(takes, initial=self._busy_s(mean_s, now))
        before = self._told
        self._told = {entry.request.key: place for place, entry in enumerate(order, start=1)}
        return [
            self._progress(entry.request, place, ahead_s)
            for (place, entry), ahead_s in zip(enumerate(order, start=1), ahead, strict=False)
            if before.get(entry.request.key) != place
        ]

    def newcomer(self, request: Request, mean_s: float, now: float) -> list[Effect]:
        """Progress for one that came in so far back that `tell` is silent about it."""
        place = self._backlog.position(request.key) or 0
        ahead_s = self._busy_s(mean_s, now) + mean_s * (place - 1)
        return [self._progress(request, place, ahead_s)] if place > MAX_TOLD else []

    def start_in_s(self, request: Request, mean_s: float, now: float) -> float:
        """Seconds until a newcomer would start, if nobody overtakes it."""
        place = self._backlog.next_place(request)
        if place <= self._running.free(request):
            return 0.0
        return (self._busy_s(mean_s, now) + mean_s * (place - 1)) / self._running.slots

    def _busy_s(self, mean_s: float, now: float) -> float:
        """Seconds that what runs goes on, one after the other."""
        return sum(_left_s(run, mean_s, now) for run in self._running.runs())

    def _progress(self, request: Request, place: int, ahead_s: float) -> SendProgress:
        eta_s = round(ahead_s / self._running.slots, 1)
        fields = {"position": float(place), "eta_s": eta_s}
        return SendProgress(key=request.key, id=request.id, phase="waiting", fields=fields)


def _takes_s(request: Request, mean_s: float) -> float:
    """Seconds that it runs: as many as others, or as it may."""
    return min(mean_s, inf if request.answer_within is None else request.answer_within)


def _left_s(run: Run, mean_s: float, now: float) -> float:
    """Seconds that it goes on: what the mean leaves, or its deadline."""
    within = deadlines.within_s(run.job, now)
    return min(max(0.0, mean_s - (now - run.started_at)), inf if within is None else within)
