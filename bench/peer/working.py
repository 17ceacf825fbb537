"""A worker without a daemon as one of two sides that compute by turns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.peer.turns import Turns
from edged.engine.frames import Delta, Done

if TYPE_CHECKING:
    from bench.direct import Direct
    from edged.engine.frames import Generate


class Working:
    """What a worker answers, in seconds that it ran.

    Args:
        worker: It is ready, and nobody else asks it.
    """

    def __init__(self, worker: Direct) -> None:
        self.turns = Turns(worker.pid)
        self._worker = worker
        self._sent = self._first = self._end = 0.0
        self._spoken = 0
        self._done: Done | None = None

    def begin(self, request: Generate) -> None:
        """Ask it; its watch runs from here."""
        self._done, self._first, self._spoken = None, 0.0, 0
        self._sent = time.monotonic()
        self._worker.say(request)

    def over(self, timeout_s: float) -> bool:
        """Whether the answer is there, after so many seconds at most."""
        deadline = time.monotonic() + timeout_s
        while self._done is None and self._worker.heard(deadline - time.monotonic()):
            frame = self._worker.hear()
            if isinstance(frame, Delta) and not self._first:
                self._first, self._spoken = time.monotonic(), frame.tokens
            elif isinstance(frame, Done):
                self._done, self._end = frame, time.monotonic()
        return self._done is not None

    @property
    def read_tps(self) -> float:
        """Tokens of the prompt that were not known, over the time to the first delta."""
        done = self._answer()
        return (done.prompt_tokens - done.cached_tokens) / self._ran(self._sent, self._first)

    @property
    def decode_tps(self) -> float:
        """Tokens after the first delta, over the time from there to the end."""
        later = self._answer().completion_tokens - self._spoken
        return later / self._ran(self._first, self._end)

    def _answer(self) -> Done:
        if self._done is None or not self._first:
            message = "the worker has not answered, or not a token"
            raise ValueError(message)
        return self._done

    def _ran(self, begin: float, end: float) -> float:
        return self.turns.ran(end) - self.turns.ran(begin)
