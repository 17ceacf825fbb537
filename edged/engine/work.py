"""What the child was asked to do and has not answered: runs, and errands beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from edged.engine.events import LostRun
from edged.engine.frames import Delta, Done, Failed, Learned, Measured, Prefill, Saved
from edged.errors import FrameError

if TYPE_CHECKING:
    from edged.engine.events import During
    from edged.engine.frames import News


class Run(msgspec.Struct, eq=False):
    """One answer under way.

    Attributes:
        during: Prefill is over when the first token proves it.
        tokens: Those that arrived.
        cancelled_at: When its end was asked for, in the caller's seconds.
    """

    during: Literal["prefill", "decode"] = "prefill"
    tokens: int = 0
    cancelled_at: float | None = None


class Work:
    """The book of one child; each run and each errand in it has exactly one answer to come."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._errands: list[str] = []

    def __len__(self) -> int:
        """How many answers are to come."""
        return len(self._runs) + len(self._errands)

    @property
    def runs(self) -> int:
        """How many runs are going."""
        return len(self._runs)

    @property
    def during(self) -> During:
        """How far the furthest run is."""
        stages = {run.during for run in self._runs.values()}
        return max(stages, key=("prefill", "decode").index, default="idle")

    @property
    def cancelled_at(self) -> float | None:
        """When the end of a run was asked for that goes on, the longest ago."""
        asked = [run.cancelled_at for run in self._runs.values() if run.cancelled_at is not None]
        return min(asked, default=None)

    def begin(self, key: str) -> bool:
        """A run starts; False if it runs already."""
        if key in self._runs:
            return False
        self._runs[key] = Run()
        return True

    def send(self, key: str) -> None:
        """An errand starts; there may be several of one key, answered one after the other."""
        self._errands.append(key)

    def cancel(self, key: str, now: float) -> bool:
        """The end of a run is asked for at `now`; False if it does not run or was asked before."""
        run = self._runs.get(key)
        if run is None or run.cancelled_at is not None:
            return False
        run.cancelled_at = now
        return True

    def take(self, frame: News) -> None:
        """The child says this.

        Raises:
            FrameError: It is about nothing that the child was asked to do; nothing is changed.
        """
        known = self._take_run(frame) if frame.key in self._runs else self._take_errand(frame)
        if not known:
            message = f"{type(frame).__name__} for what does not run"
            raise FrameError(message)

    def lost(self) -> tuple[LostRun, ...]:
        """The runs that end with the child, the oldest first."""
        return tuple(
            LostRun(key=key, during=run.during, tokens_done=run.tokens)
            for key, run in self._runs.items()
        )

    def _take_run(self, frame: News) -> bool:
        match frame:
            case Delta():
                run = self._runs[frame.key]
                run.during = "decode"
                run.tokens += frame.tokens
            case Done() | Failed():
                del self._runs[frame.key]
        return not isinstance(frame, Learned | Saved | Measured)

    def _take_errand(self, frame: News) -> bool:
        if frame.key not in self._errands or isinstance(frame, Delta | Done):
            return False
        if not isinstance(frame, Prefill):
            self._errands.remove(frame.key)
        return True
