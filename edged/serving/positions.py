"""Telling those who wait where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.serving.effects import SendProgress

if TYPE_CHECKING:
    from edged.serving.backlog import Backlog
    from edged.serving.effects import Effect
    from edged.serving.request import Request
    from edged.serving.running import Running

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
        runs = self._running.runs()
        busy_s = sum(max(0.0, mean_s - (now - run.started_at)) for run in runs)
        order = self._backlog.order(MAX_TOLD)
        before = self._told
        self._told = {entry.request.key: place for place, entry in enumerate(order, start=1)}
        return [
            self._progress(entry.request, place, busy_s, mean_s)
            for place, entry in enumerate(order, start=1)
            if before.get(entry.request.key) != place
        ]

    def newcomer(self, request: Request, mean_s: float) -> list[Effect]:
        """Progress for one that came in so far back that `tell` is silent about it."""
        place = self._backlog.position(request.key) or 0
        return [self._progress(request, place, mean_s, mean_s)] if place > MAX_TOLD else []

    def _progress(self, request: Request, place: int, busy_s: float, mean_s: float) -> SendProgress:
        eta_s = round((busy_s + mean_s * (place - 1)) / self._running.slots, 1)
        fields = {"position": float(place), "eta_s": eta_s}
        return SendProgress(key=request.key, id=request.id, phase="waiting", fields=fields)
