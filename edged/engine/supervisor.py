"""Keeps one engine child alive, and says what became of it.

One task owns the child from birth to reaping; the public methods only put a frame on its socket or
a trigger into its lifecycle.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING

import msgspec

from edged.engine.codec import encode_checked
from edged.engine.frames import Failed, Generate, Load, Pace
from edged.engine.life import Life, Timeouts
from edged.engine.lifecycle import ALIVE, Lifecycle, Policy, State, Trigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.clock import Clock
    from edged.engine.events import EngineDied, EngineEvent

WORKER = (sys.executable, "-m", "edged.engine.worker")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between the daemon and a test.

    Attributes:
        argv: The child's program; the number of its socket is appended.
        timeouts: How long the child may be silent.
        policy: Backoff and the limit of deaths.
    """

    argv: tuple[str, ...] = WORKER
    timeouts: Timeouts = Timeouts()
    policy: Policy = Policy()


class Supervisor:
    """The daemon's handle on the engine; every method is called in the event loop.

    Args:
        load: What each child is told to open.
        post: Gets every event, in order, in the event loop.
        clock: Stamps deaths.
        settings: Program, deadlines and patience.
        log: Gets the child's stderr, bounded and rate-limited, as (level, line).
    """

    def __init__(
        self,
        load: Load,
        post: Callable[[EngineEvent], None],
        clock: Clock,
        settings: Settings | None = None,
        log: Callable[[int, str], None] | None = None,
    ) -> None:
        self._settings = settings or Settings()
        self._load = load
        self._post = post
        self._clock = clock
        self._log = log
        self._lifecycle = Lifecycle(self._settings.policy)
        self._pace: Pace | None = None
        self._life: Life | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    @property
    def state(self) -> State:
        """Where the child is; for showing, not for deciding."""
        return self._lifecycle.state

    @property
    def pid(self) -> int | None:
        """The child's process id while there is one."""
        return self._life.pid if self._life else None

    def start(self) -> None:
        """Begin to keep a child alive.

        Raises:
            IllegalTransitionError: It was started already.
            ValueError: The Load frame has a field out of its range.
        """
        encode_checked(self._load)
        self._lifecycle.on(Trigger.START)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="engine")

    async def stop(self) -> None:
        """End the child, by force after `quit_s`; returns when it is reaped. Idempotent."""
        if self.state in {State.BACKOFF, State.FATAL}:
            self._lifecycle.on(Trigger.STOP)
            self._wake.set()
        elif self.state in ALIVE - {State.STOPPING}:
            self._lifecycle.on(Trigger.STOP)
            if self._life is not None:
                self._life.quit()
        if self._task is not None:
            await asyncio.shield(self._task)

    def submit(self, generate: Generate) -> None:
        """Run one request; its frames and at last Done, Failed or EngineDied are posted.

        If the child is not READY, Failed with the code `engine_unavailable` is posted: the news of
        its death may be on the way to the caller while the caller submits.

        Raises:
            ValueError: A field is out of its range; nothing was sent.
        """
        data = encode_checked(generate)
        if self._life is not None and self.state is State.READY:
            self._life.submit(generate.key, data)
            return
        message = f"the engine is {self.state.value}"
        self._post(Failed(key=generate.key, code="engine_unavailable", message=message))

    def cancel(self, key: str) -> None:
        """End that run within `cancel_s`, by force if need be; other keys are ignored."""
        if self._life is not None and self.state is State.BUSY:
            self._life.cancel(key)

    def pace(self, pace: Pace) -> None:
        """Compute like this from the next token on, also after a restart.

        Raises:
            ValueError: A field is out of its range.
        """
        data = encode_checked(pace)
        self._pace = pace
        if self._life is not None:
            self._life.send(data)

    def rearm(self) -> None:
        """Forgive all deaths and start at once.

        Raises:
            IllegalTransitionError: The state is neither BACKOFF nor FATAL.
        """
        self._lifecycle.rearm()
        self._wake.set()

    async def _run(self) -> None:
        while self.state is State.STARTING:
            self._wake.clear()
            died = await self._live()
            if self._lifecycle.state is State.STOPPING:
                break
            retry_in = self._lifecycle.died(self._clock.monotonic())
            self._post(msgspec.structs.replace(died, retry_in=retry_in))
            await self._wait(retry_in)
        if self._lifecycle.state is State.STOPPING:
            self._lifecycle.on(Trigger.EXITED)

    async def _live(self) -> EngineDied:
        settings = self._settings
        self._life = Life(self._lifecycle, self._load, settings.timeouts, self._post)
        try:
            return await self._life.run(settings.argv, self._greeting(), self._forward, self._clock)
        finally:
            self._life = None

    async def _wait(self, retry_in: float | None) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), retry_in)
        except TimeoutError:
            # stop() and rearm() may have come in the same turn of the loop.
            if self.state is State.BACKOFF:
                self._lifecycle.on(Trigger.RETRY)

    def _greeting(self) -> bytes:
        pace = b"" if self._pace is None else encode_checked(self._pace)
        return encode_checked(self._load) + pace

    def _forward(self, line: str) -> None:
        if self._log is not None:
            self._log(logging.DEBUG, line)
