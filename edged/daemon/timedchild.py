"""A child of one's own that only measures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self, TypeVar

from edged.engine.events import EngineDied, EngineUp
from edged.engine.frames import MEASURE, Failed, Loading, Measure, Measured, Prefill
from edged.engine.supervisor import Supervisor
from edged.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.clock import Clock
    from edged.engine.events import EngineEvent
    from edged.engine.frames import Load, Ready
    from edged.engine.supervisor import Settings

KEY = MEASURE + "bench"
E = TypeVar("E", bound="EngineEvent")


class TimedChild:
    """`async with TimedChild(load, clock) as child:` holds one that is ready.

    Args:
        load: What it opens.
        clock: Of the supervisor.
        settings: Program and deadlines.
        busy: Called with the share that is done, 0 to 1, while it loads or measures.
    """

    def __init__(
        self,
        load: Load,
        clock: Clock,
        settings: Settings | None = None,
        busy: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._events: asyncio.Queue[EngineEvent] = asyncio.Queue()
        self._supervisor = Supervisor(load, self._events.put_nowait, clock, settings)
        self._busy = busy
        self.ready: Ready

    async def __aenter__(self) -> Self:
        self._supervisor.start()
        try:
            self.ready = (await self._until(EngineUp)).ready
        except BaseException:
            await self._supervisor.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._supervisor.stop()

    async def measure(  # noqa: PLR0913 - the fields of the frame
        self,
        *,
        depth: int = 0,
        pp: int = 0,
        tg: int = 0,
        repeat: int = 1,
        threads: int = 0,
        threads_batch: int = 0,
    ) -> Measured:
        """Time made-up tokens; see `edged.engine.frames.Measure`.

        Raises:
            EngineError: The child died, or cannot measure that.
        """
        frame = Measure(
            key=KEY,
            depth=depth,
            pp=pp,
            tg=tg,
            repeat=repeat,
            threads=threads,
            threads_batch=threads_batch,
        )
        self._supervisor.measure(frame)
        return await self._until(Measured)

    async def _until(self, kind: type[E]) -> E:
        while True:
            event = await self._events.get()
            match event:
                case EngineDied():
                    message = f"the child that measures died: {event.reason}, {event.message}"
                    raise EngineError(message)
                case Failed():
                    message = f"the child cannot measure: {event.code}, {event.message}"
                    raise EngineError(message)
                case Loading():
                    self._busy(event.percent / 100)
                case Prefill():
                    self._busy(event.done / max(1, event.total))
            if isinstance(event, kind):
                return event
