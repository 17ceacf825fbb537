"""The threads that compute: as many as configured, fewer while the house wants its cores."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edged.engine.worker import neighbours

if TYPE_CHECKING:
    from edged.engine.worker.context import Context
    from edged.engine.worker.schedstat import Schedstat


class Crew:
    """Sets the threads of a context.

    Args:
        context: Where they compute.
        threads: Of decode.
        threads_batch: Of prefill, and of several streams at once.
        schedstat: Tells how long they waited for a core.
    """

    def __init__(
        self, context: Context, threads: int, threads_batch: int, schedstat: Schedstat
    ) -> None:
        self._context = context
        self._schedstat = schedstat
        self._wanted = (threads, threads_batch)
        self._state = neighbours.State(configured=max(self._wanted))
        self._speeds: neighbours.Speeds = {}
        self._held = False

    def set(self, threads: int, threads_batch: int) -> None:
        """At most so many, from the next step on."""
        self._wanted = (threads, threads_batch)
        self._state = neighbours.configure(self._state, max(self._wanted))
        self._speeds = {}
        self._apply()

    def exactly(self, threads: int, threads_batch: int) -> None:
        """So many until `resume`, whatever the neighbours want; 0 is what `set` was given."""
        threads, threads_batch = threads or self._wanted[0], threads_batch or self._wanted[1]
        self._held = True
        self._context.set_threads(threads, threads_batch)

    def resume(self) -> None:
        """As before `exactly`; what the neighbours did meanwhile is not counted."""
        self._held = False
        self._speeds = {}
        self._schedstat.restart()
        self._apply()

    def look(self) -> None:
        """After a step: give a thread to the neighbours, or take one back."""
        if self._state.configured == 1:
            return
        self._note()
        now = time.monotonic()
        share = self._schedstat.share(now)
        if share is None:
            return
        before = self._state.threads
        window = neighbours.Window(delay_share=share, speeds=self._speeds)
        self._state = neighbours.step(self._state, window, now)
        if self._state.threads != before:
            self._apply()
            self._schedstat.restart()
        self._speeds = {}

    def _note(self) -> None:
        """The time of the last step; steps of as many rows are alike."""
        if self._context.seconds:
            rows = self._context.batch.size
            steps, seconds = self._speeds.get(rows, (0, 0.0))
            self._speeds[rows] = steps + 1, seconds + self._context.seconds

    def _apply(self) -> None:
        if self._held:
            return
        most = self._state.threads
        threads, threads_batch = (min(wanted, most) for wanted in self._wanted)
        self._context.set_threads(threads, threads_batch)
