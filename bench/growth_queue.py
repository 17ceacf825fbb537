"""What an event costs the dispatcher, by how many requests wait. No process, no wire."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Final

from bench.growth_verdict import Queued
from edged.serving.dispatcher import Dispatcher
from edged.serving.effects import Submit
from edged.serving.events import (
    Arrived,
    CancelAsked,
    Completed,
    Decoded,
    EngineReady,
    ReplyTaken,
    Tick,
)
from edged.serving.request import Message, Request, Ticket, Usage
from edged.serving.state import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.serving.dispatcher import Standing
    from edged.serving.effects import Effect
    from edged.serving.events import Event

MOST: Final = 10_000
SPARE: Final = 10
TURNS: Final = 200
MESSAGES: Final = (Message(role="user", content="How warm is the bath?"),)
USAGE: Final = Usage(prompt_tokens=20, cached_tokens=10, completion_tokens=20)


class Queue:
    """A dispatcher with so many requests waiting and one running.

    Args:
        waiting: How many.
        clients: From how many clients, in turn; 0: each from another one.
    """

    def __init__(self, waiting: int, clients: int) -> None:
        self._numbers = count()
        self._clients = clients
        self._running = ""
        self._waiting = waiting
        limit = MOST + SPARE
        self._dispatcher = Dispatcher(Settings(capacity=limit, per_client=limit))
        self.on(EngineReady(variant="none", n_ctx=4096, streams=1))
        for _ in range(waiting + 1):
            self.on(self.arrived())

    def costs(self) -> Iterator[Queued]:
        """Each kind of event, timed; as many wait afterwards as before."""
        for _ in range(TURNS):
            newcomer = self.arrived()
            yield self._timed("admit", newcomer)
            yield self._timed("decoded", Decoded(key=self._running, text=" warm", tokens=1))
            yield self._timed("tick", Tick())
            yield self._timed("cancel", CancelAsked(id=newcomer.request.id))
            self.on(ReplyTaken(key=newcomer.request.key))
            ended = self._running
            done = Completed(key=ended, finish_reason="stop", usage=USAGE)
            yield self._timed("completed", done)
            yield self._timed("reply taken", ReplyTaken(key=ended))
            self.on(self.arrived())

    def arrived(self) -> Arrived:
        """A new request of the next client."""
        number = next(self._numbers)
        request = Request(
            id=f"r{number}",
            client=f"c{number % self._clients if self._clients else number}",
            messages=MESSAGES,
            max_tokens=64,
            expires_in=3600.0,
        )
        return Arrived(request=request, ticket=Ticket(connection=1, mid=number, qos=1))

    def on(self, event: Event) -> None:
        """Let the dispatcher take one event, and see what runs now."""
        self._see(self._dispatcher.on(event, time.monotonic()))

    def snapshot(self) -> Standing:
        """What the dispatcher tells of itself."""
        return self._dispatcher.snapshot(time.monotonic())

    def _timed(self, name: str, event: Event) -> Queued:
        now = time.monotonic()
        begin = time.perf_counter_ns()
        effects = self._dispatcher.on(event, now)
        us = (time.perf_counter_ns() - begin) / 1e3
        self._see(effects)
        return Queued(event=name, waiting=self._waiting, clients=self._clients, us=us)

    def _see(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Submit):
                self._running = effect.request.key
