"""A neighbour: a foreign process that wants one core for itself, and tells how far it came."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTER_BYTES: Final = 8
# A shared page holds the count; a neighbour whose bench was killed ends by itself.
SOURCE: Final = """
import mmap, os, sys
parent = int(sys.argv[2])
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 8) as page:
    count = 0
    while os.getppid() == parent:
        for _ in range(10000):
            pass
        count += 1
        page[:] = count.to_bytes(8, "little")
"""
START_S: Final = 30.0
POLL_S: Final = 0.01


class Busy:
    """A running neighbour.

    Args:
        page: Holds its count.
    """

    def __init__(self, page: mmap.mmap) -> None:
        self._page = page
        self.restart()

    def restart(self) -> None:
        """Count from now on."""
        self._began_at, self._before = time.monotonic(), self._count()

    @property
    def rate(self) -> float:
        """Rounds per second since the count began."""
        return (self._count() - self._before) / (time.monotonic() - self._began_at)

    def _count(self) -> int:
        return int.from_bytes(self._page[:], "little")


@contextmanager
def neighbour() -> Iterator[Busy]:
    """Compute in a process of its own, pinned nowhere, until the block is left."""
    with tempfile.NamedTemporaryFile(prefix="edged-bench-") as file:
        file.write(bytes(COUNTER_BYTES))
        file.flush()
        argv = (sys.executable, "-c", SOURCE, file.name, str(os.getpid()))
        with (
            mmap.mmap(file.fileno(), COUNTER_BYTES) as page,
            # Linux shares cores among sessions first, and who is foreign has one of its own.
            subprocess.Popen(argv, start_new_session=True) as process,
        ):
            try:
                _wait_begun(page)
                yield Busy(page)
            finally:
                process.kill()


@contextmanager
def neighbours(count: int) -> Iterator[list[Busy]]:
    """So many of them."""
    with ExitStack() as stack:
        yield [stack.enter_context(neighbour()) for _ in range(count)]


def _wait_begun(page: mmap.mmap) -> None:
    deadline = time.monotonic() + START_S
    while not any(page[:]):
        if time.monotonic() > deadline:
            message = "the neighbour does not begin"
            raise TimeoutError(message)
        time.sleep(POLL_S)
