"""Bounds on Python code that a model file brought along."""

from __future__ import annotations

import contextlib
import resource
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# The signal may land where some library swallows exceptions: then it comes again.
_REPEAT_S = 0.25
_PAGE_BYTES = resource.getpagesize()


class DeadlineError(Exception):
    """It took too long."""


@contextlib.contextmanager
def bounded(seconds: float, memory: int) -> Iterator[None]:
    """Raise DeadlineError in the block after `seconds`, MemoryError beyond `memory` more bytes.

    Main thread only; it uses SIGALRM, which interrupts Python code and not one long native call.
    """
    armed = True

    def ring(_number: int, _frame: FrameType | None) -> None:
        if armed:
            message = f"over {seconds:g} s"
            raise DeadlineError(message)

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, ring)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + memory, hard))
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, _REPEAT_S)
    try:
        yield
    finally:
        # First of all: a late ring must not interrupt the lines that end the ringing.
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def _address_space() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * _PAGE_BYTES
