"""Carries events from the network thread to the asyncio loop, never more than it can take."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from edged.mqtt.packet import Incoming

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from edged.mqtt.packet import SessionEvent

# Messages under way to the loop: as many as a busy loop takes in one turn, at most 32 MiB.
MAX_UNDELIVERED = 128
# How long the network thread waits for room before it looks at its keepalive again.
ROOM_WAIT_S = 0.25


class Courier:
    """One for each session; `post` is only ever called in the asyncio loop."""

    def __init__(self, post: Callable[[SessionEvent], None]) -> None:
        self._post = post
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._undelivered = 0
        self._room = threading.Event()
        self._room.set()

    @property
    def full(self) -> bool:
        """Whether the loop is so far behind that more should wait."""
        return not self._room.is_set()

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver to this loop."""
        self._loop = loop

    def send(self, event: SessionEvent) -> None:
        """Hand over an event; does not block."""
        if isinstance(event, Incoming):
            self._count(1)
        # A loop that is closed has nobody left who would listen.
        with contextlib.suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._deliver, event)

    def wait_for_room(self) -> None:
        """Return when there is room, or after `ROOM_WAIT_S`."""
        self._room.wait(ROOM_WAIT_S)

    def _deliver(self, event: SessionEvent) -> None:
        if isinstance(event, Incoming):
            self._count(-1)
        self._post(event)

    def _count(self, step: int) -> None:
        with self._lock:
            self._undelivered += step
            if self._undelivered >= MAX_UNDELIVERED:
                self._room.clear()
            else:
                self._room.set()
