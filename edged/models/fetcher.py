"""Downloads in the background: one thread to do them in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING

from edged.models.attempts import fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from edged.models.attempts import World
    from edged.models.progress import Event
    from edged.models.variants import Variant

NICENESS = 10  # beside the engine's threads, which are at the unit's 5
CLOSE_S = 10.0  # a sync to a slow card is waited for, a hung one is not


class Fetcher:
    """The daemon's downloads: at most one at a time, in a thread of its own.

    A disk that is slow or full, and a hub that is slow or hostile, never hold up the loop that
    answers prompts. The daemon

    - makes one Fetcher at the start, with `post` as
      `lambda event: loop.call_soon_threadsafe(inbox.put, event)`: every event comes in our thread;
    - calls `start(variant, keep)` when the choice is a file that is not here, where `keep` has the
      names of the file that serves and of those it would go back to; starting what is under way
      already changes nothing, another variant takes its place, and the part of the first one stays;
    - gets Progress (payload of `progress/download`; a journal line where `milestone`), Pinned and
      Evicted (a journal line each), FetchFailed with `retry_in` (a problem that passes; attempts go
      on by themselves), and as the last event of a download either Fetched (load and measure the
      file, then serve from it) or FetchFailed with `retry_in` None (choose without this variant);
    - calls `cancel()` when it chooses otherwise, and `close()` at its end; both keep the part, and
      the next `start` of that variant goes on there, in this process or another.

    What a download is worth is decided elsewhere: nothing is fetched that nobody started, and
    `config.enabled` is the caller's to obey.

    Args:
        world: Where files go and what is allowed.
        post: Gets each event, in our thread; it must not block.
    """

    def __init__(self, world: World, post: Callable[[Event], None]) -> None:
        self._world = world
        self._post = post
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        self._variant: Variant | None = None

    def start(self, variant: Variant, keep: Collection[str] = ()) -> None:
        """Have that file; returns at once.

        Args:
            variant: With a repo or an address.
            keep: Names of files in the store that are not evicted for it.
        """
        if self._loop is None:
            self._open()
        self._call(self._replace, variant, frozenset(keep))

    def cancel(self) -> None:
        """Give up what is under way, and keep what is here of it; returns at once."""
        if self._loop is not None:
            self._call(self._replace, None, frozenset())

    def close(self) -> None:
        """Cancel, and end the thread; waits up to 10 s for a disk that is being synced."""
        if self._loop is None or self._thread is None:
            return
        self._call(self._end)
        self._thread.join(CLOSE_S)
        self._loop = self._thread = None

    def _call(self, work: Callable[..., None], *args: object) -> None:
        assert self._loop is not None  # noqa: S101 - opened by whoever calls this
        with contextlib.suppress(RuntimeError):  # closed: there is nothing left to do
            self._loop.call_soon_threadsafe(work, *args)

    def _open(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run, args=(self._loop,), name="fetcher", daemon=True
        )
        self._thread.start()

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(OSError):  # of this thread alone, on Linux
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    def _replace(self, variant: Variant | None, keep: frozenset[str]) -> None:
        old = self._task
        if old is not None and not old.done():
            if variant is not None and variant == self._variant:
                return
            old.cancel()
        self._variant = variant
        loop = asyncio.get_running_loop()
        self._task = None if variant is None else loop.create_task(self._do(old, variant, keep))

    async def _do(
        self, old: asyncio.Task[None] | None, variant: Variant, keep: frozenset[str]
    ) -> None:
        if old is not None:
            await asyncio.wait([old])
        await fetch(self._world, variant, keep, self._post)

    def _end(self) -> None:
        self._replace(None, frozenset())
        asyncio.get_running_loop().create_task(self._stop())

    @staticmethod
    async def _stop() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)
        asyncio.get_running_loop().stop()
