"""The real child through edged's own supervisor, and when each of its frames came."""

from __future__ import annotations

import asyncio
import os
import time
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import msgspec

from edged.clock import SystemClock
from edged.engine.events import EngineDied, EngineUp
from edged.engine.frames import Delta, Done, Failed, Generate, Load, Message, Ready
from edged.engine.life import Timeouts
from edged.engine.supervisor import WORKER, Settings, Supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from edged.engine.events import EngineEvent

# A starved child is what is measured; it shall not be taken for a hanging one.
TIMEOUTS: Final = Timeouts(stall_s=120.0, cancel_s=60.0)
PATIENCE_S: Final = 600.0
ENDLESS: Final = 100_000  # tokens, more than any context here holds


class EngineError(Exception):
    """The child died or failed where the bench needs an answer."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that came in some time.

    Attributes:
        tokens: All but the first, which starts the watch.
        seconds: From the first to the last.
    """

    tokens: int
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Rate; 0 if no two tokens came."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0


class Seen(NamedTuple):
    """An event of the engine and the monotonic second in which it came."""

    at: float
    event: EngineEvent


class Engine:
    """`async with Engine(load) as engine:` starts a child and waits until it is ready.

    Args:
        load: What it opens.
        environment: Variables it inherits besides those of this process.
        argv: Its program.
    """

    def __init__(
        self,
        load: Load,
        environment: Mapping[str, str] | None = None,
        argv: Sequence[str] = WORKER,
    ) -> None:
        self._load = load
        self._environment = environment or {}
        self._settings = Settings(argv=tuple(argv), timeouts=TIMEOUTS)
        self._seen: asyncio.Queue[Seen] = asyncio.Queue()
        self._keys = map(str, count())

    async def __aenter__(self) -> Self:
        before = dict(os.environ)
        os.environ.update(self._environment)
        self._supervisor = Supervisor(self._load, self._post, SystemClock(), self._settings)
        try:
            self._supervisor.start()
            self.ready = await self._up()
        except BaseException:
            await self._supervisor.stop()
            raise
        finally:
            os.environ.clear()
            os.environ.update(before)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._supervisor.stop()

    @property
    def pid(self) -> int:
        """Of the child."""
        if self._supervisor.pid is None:
            message = "the child is gone"
            raise EngineError(message)
        return self._supervisor.pid

    def submit(self, *messages: Message, **fields: Any) -> str:
        """Start an answer, greedy unless the fields say otherwise; returns its key."""
        key = next(self._keys)
        given = {"temperature": 0.0, "repeat_penalty": 1.0, **fields}
        self._supervisor.submit(Generate(key=key, messages=messages, **given))
        return key

    async def answer(self, *messages: Message, **fields: Any) -> Done:
        """Ask and wait for the end."""
        self.submit(*messages, **fields)
        return await self._done()

    async def decode(self, prompt: str, *, settle_s: float, window_s: float) -> Span:
        """Count the tokens of an answer in a window that begins `settle_s` after its first one."""
        async with self.endless(prompt) as deltas:
            await deltas.span(settle_s)
            return await deltas.span(window_s)

    def endless(self, prompt: str) -> Endless:
        """An answer that runs until its block is left."""
        return Endless(self, prompt)

    async def delta(self, timeout_s: float = PATIENCE_S) -> tuple[float, int]:
        """When the next piece of the answer came, and its tokens.

        Raises:
            EngineError: The answer ended.
            TimeoutError: None came.
        """
        while True:
            at, event = await self._next(timeout_s)
            if isinstance(event, Delta):
                return at, event.tokens
            if isinstance(event, Done | Failed):
                message = f"the answer ended: {event}"
                raise EngineError(message)

    async def cancel(self, key: str) -> Done:
        """End an answer."""
        self._supervisor.cancel(key)
        return await self._done()

    async def _up(self) -> Ready:
        while True:
            _, event = await self._next()
            if isinstance(event, EngineUp):
                return event.ready

    async def _done(self) -> Done:
        while True:
            _, event = await self._next()
            if isinstance(event, Done):
                return event
            if isinstance(event, Failed):
                message = f"the child failed: {event.code}, {event.message}"
                raise EngineError(message)

    async def _next(self, timeout_s: float = PATIENCE_S) -> Seen:
        seen = await asyncio.wait_for(self._seen.get(), timeout_s)
        if isinstance(seen.event, EngineDied):
            message = f"the child died: {seen.event.reason}, {seen.event.message}"
            raise EngineError(message)
        return seen

    def _post(self, event: EngineEvent) -> None:
        self._seen.put_nowait(Seen(time.monotonic(), event))


class Endless:
    """`async with engine.endless(prompt) as answer:` holds once the first token has come."""

    def __init__(self, engine: Engine, prompt: str) -> None:
        self._engine = engine
        self._prompt = prompt

    async def __aenter__(self) -> Self:
        message = Message(role="user", content=self._prompt)
        self._key = self._engine.submit(message, max_tokens=ENDLESS)
        self._at, _ = await self._engine.delta()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            await self._engine.cancel(self._key)

    async def span(self, seconds: float) -> Span:
        """Count tokens from the last one seen until one that comes `seconds` later."""
        begin, tokens = self._at, 0
        while self._at - begin < seconds:
            self._at, more = await self._engine.delta()
            tokens += more
        return Span(tokens=tokens, seconds=self._at - begin)
