"""The errand in hand for a prefix, and the thread that does what of it concerns the disk."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.engine import orders


class Job:
    """The errand in hand.

    Args:
        order: What is to be done.

    Attributes:
        fd: A memory file, for a save.
        with_child: The child has it and not the disk.
    """

    def __init__(self, order: orders.Restore | orders.Learn | orders.Save) -> None:
        self.order = order
        self.fd: int | None = None
        self.with_child = False

    def close(self) -> None:
        """Give up the memory file."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


class DiskDone(msgspec.Struct, frozen=True):
    """The thread has done its part.

    Attributes:
        job: The errand it was for; None for that of the start.
        result: What came of it, or the exception.
        owner: Whose thread it was.
    """

    job: Job | None
    result: Any
    owner: str = "prefixes"


class DiskThread:
    """One thread: hashing 50 MB takes a tenth of a second, and writing them to a card seconds.

    Args:
        post: Gets a DiskDone for each piece of work, in the event loop.
        owner: Who works in it.
    """

    def __init__(self, post: Callable[[object], None], owner: str = "prefixes") -> None:
        self._post = post
        self._owner = owner
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=owner)
        self._stopping = threading.Event()

    def run(self, job: Job | None, work: Callable[..., object], *args: object) -> None:
        """Do it after all that was asked for before; what it returns or raises is posted."""
        loop = asyncio.get_running_loop()

        def report(result: object) -> None:
            self._post(DiskDone(job, result, self._owner))

        def do() -> None:
            if self.stopping():
                return
            result: object
            try:
                result = work(*args)
            except Exception as error:  # noqa: BLE001 - told in the loop, whatever it is
                result = error
            loop.call_soon_threadsafe(report, result)

        self._pool.submit(do)

    def forget(self, work: Callable[..., object], *args: object) -> None:
        """The same, and nobody wants to know what came of it; done even when stopping."""
        self._pool.submit(work, *args)

    def stopping(self) -> bool:
        """Whether work is to be given up; may be asked in the thread."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Give up what is under way and what waits; returns when the thread has ended."""
        self._stopping.set()
        self._pool.shutdown()
