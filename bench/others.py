"""What processes that are not the bench's take of the cores, so that a reader can judge."""

from __future__ import annotations

import time
from typing import Final

import psutil

QUIET: Final = 0.15  # cores; below this a window counts as undisturbed
LOOK_S: Final = 0.3
PATIENCE_S: Final = 3.0  # before each window; a busy machine is told, not waited for


class Others:
    """Begins to watch when it is made."""

    def __init__(self) -> None:
        self._at, self._all, self._ours = time.monotonic(), _all_s(), _ours_s()

    @property
    def cores(self) -> float:
        """Cores they took since then, on average."""
        span = time.monotonic() - self._at
        busy = (_all_s() - self._all) - (_ours_s() - self._ours)
        return max(0.0, busy / span)


def wait_quiet(patience_s: float = PATIENCE_S) -> None:
    """Wait a while for the others to be quiet, if they are not."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        others = Others()
        time.sleep(LOOK_S)
        if others.cores < QUIET:
            return


def _all_s() -> float:
    """CPU seconds of everyone since the start of the machine."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def _ours_s() -> float:
    """CPU seconds of this process and of all that it started, those that ended among them."""
    me = psutil.Process()
    return sum(_process_s(one) for one in (me, *me.children(recursive=True)))


def _process_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # its parent has its seconds by now
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
