"""The one inbox: what tells us something goes before what asks for more work."""

from __future__ import annotations

import asyncio
from collections import deque


class Inbox:
    """Two lanes with one reader.

    A flood of requests fills its own lane and delays neither a token, a cancel nor a tick. Within
    a lane order is kept.
    """

    def __init__(self) -> None:
        self._told: deque[object] = deque()
        self._asked: deque[object] = deque()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._told) + len(self._asked)

    @property
    def asked(self) -> int:
        """Requests that nobody has looked at."""
        return len(self._asked)

    def tell(self, item: object) -> None:
        """Put what must not wait."""
        self._told.append(item)
        self._filled.set()

    def ask(self, item: object) -> None:
        """Put a request."""
        self._asked.append(item)
        self._filled.set()

    async def take(self, most: int) -> list[object]:
        """At least one and at most `most` items, waiting for the first."""
        await self._filled.wait()
        return self.take_now(most)

    def take_now(self, most: int) -> list[object]:
        """At most `most` items, those told before those asked."""
        items: list[object] = []
        for lane in (self._told, self._asked):
            while lane and len(items) < most:
                items.append(lane.popleft())
        if not len(self):
            self._filled.clear()
        return items
