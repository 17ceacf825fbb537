"""How long our threads waited for a core, as the kernel counts it."""

from __future__ import annotations

import contextlib
import os
from math import inf
from pathlib import Path
from typing import Final

TASKS: Final = Path("/proc/self/task")
# The time the main thread wants between two looks: time slices are a few milliseconds, and a
# hundred of them tell a neighbour from a hiccup.
WINDOW_S: Final = 0.5
# A thread that wanted less of a window says nothing about it.
_LEAST_SHARE: Final = 0.1
_BYTES: Final = 96  # three numbers of 64 bits
_NS: Final = 1e9


class Schedstat:
    """The threads' run and wait times, read from files that stay open.

    Only time in which the main thread ran or waited to run makes a window, so pauses between
    answers do not count.

    Args:
        tasks: A folder for each thread, with a file `schedstat`: ns run, ns waited, slices.
        main: The name of the main thread's folder.
    """

    def __init__(self, tasks: Path = TASKS, main: str | None = None) -> None:
        self._tasks = tasks
        self._main = main or str(os.getpid())
        self._files: dict[str, int] = {}
        self._before: dict[str, tuple[int, int]] = {}
        self._look_at = -inf
        self.restart()

    @property
    def available(self) -> bool:
        """Whether this kernel counts at all."""
        return self._before.get(self._main, (0, 0)) != (0, 0)

    def share(self, now: float) -> float | None:
        """The largest share of its wanted time that a thread waited, once a window is full.

        Args:
            now: Monotonic seconds.

        Returns:
            None while the window is not full; a share begins the next one.
        """
        if now < self._look_at:
            return None
        ran, waited = self._since(self._main, self._read(self._main))
        missing_s = WINDOW_S - (ran + waited) / _NS
        if missing_s > 0.0:
            # A thread wants no more time than passes: until then a file need not be read.
            self._look_at = now + missing_s
            return None
        after = self._all()
        least = _LEAST_SHARE * (ran + waited)
        spans = [self._since(name, times) for name, times in after.items()]
        self._before = after
        shares = (wait / (run + wait) for run, wait in spans if run + wait >= least)
        return max(shares, default=None)

    def restart(self) -> None:
        """Begin a window: the number of threads has changed."""
        self._before = self._all()
        self._look_at = -inf

    def close(self) -> None:
        """Close all files."""
        for name in tuple(self._files):
            self._forget(name)

    def _since(self, name: str, times: tuple[int, int] | None) -> tuple[int, int]:
        if times is None:
            return 0, 0
        before = self._before.get(name, (0, 0))
        return times[0] - before[0], times[1] - before[1]

    def _all(self) -> dict[str, tuple[int, int]]:
        """Times of every thread; those that have ended are forgotten."""
        with contextlib.suppress(OSError):
            names = [task.name for task in self._tasks.iterdir()]
            for name in self._files.keys() - set(names):
                self._forget(name)
            return {name: times for name in names if (times := self._read(name)) is not None}
        return {}

    def _read(self, name: str) -> tuple[int, int] | None:
        try:
            if name not in self._files:
                path = self._tasks / name / "schedstat"
                self._files[name] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            ran, waited, _ = os.pread(self._files[name], _BYTES, 0).split()
        except (OSError, ValueError):
            self._forget(name)
            return None
        return int(ran), int(waited)

    def _forget(self, name: str) -> None:
        """Close a thread's file: the thread has ended, and another may get its number."""
        file = self._files.pop(name, None)
        if file is not None:
            os.close(file)
