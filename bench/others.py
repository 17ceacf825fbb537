"""What processes that are not the bench's take of the cores, so that a reader can judge."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import psutil

QUIET: Final = 0.15  # cores; below this a window counts as undisturbed
LOOK_S: Final = 0.3
PATIENCE_S: Final = 3.0  # before each window; a busy machine is told, not waited for
# What a process gave back, a virtual machine gives back to its host, if its kernel is of that kind:
# 400 MB every two seconds, and each time the cores stand still for some 100 ms. Ten answers in
# the 20 s after a process with 4 GB had ended were up to 10 percent slower than the next ones.
REPORTED: Final = Path("/sys/module/page_reporting/parameters/reported_kib")
PASS_S: Final = 2.5
SETTLED_WITHIN_S: Final = 150.0  # of 24 GB


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


def wait_settled(
    counter: Path = REPORTED, pass_s: float = PASS_S, patience_s: float = SETTLED_WITHIN_S
) -> None:
    """Wait until a virtual machine has given free memory back to its host.

    Args:
        counter: Grows meanwhile; a machine that has none does not do it, or does not tell.
        pass_s: Seconds between two looks at it.
        patience_s: Seconds after which it goes on in any case.
    """
    deadline = time.monotonic() + patience_s
    before = _told(counter)
    while before and time.monotonic() < deadline:
        time.sleep(pass_s)
        if (now := _told(counter)) == before:
            return
        before = now


def _told(counter: Path) -> str:
    try:
        return counter.read_text()
    except OSError:
        return ""


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
