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
from edged.engine.frames import (
    Failed,
    Generate,
    Learn,
    Load,
    Measure,
    Message,
    Pace,
    Restore,
    Save,
    Unlearn,
    is_errand,
    is_measure,
)
from edged.engine.life import Life, Timeouts
from edged.engine.lifecycle import ALIVE, Lifecycle, Policy, State, Trigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.clock import Clock
    from edged.engine.events import EngineDied, EngineEvent

# In these states the child takes work.
SERVING = frozenset({State.READY, State.BUSY})
WORKER = (sys.executable, "-m", "edged.engine.worker")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between the daemon and a test.

    Attributes:
        argv: The child's program; the numbers of its two sockets are appended.
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

    async def change(self, load: Load) -> None:
        """End the child and keep one alive that opens another model; all deaths are forgiven.

        The present one goes first, since both may not fit. What it has in hand is lost unsaid, so
        the caller waits until it has nothing.

        Raises:
            ValueError: The Load frame has a field out of its range; nothing was changed.
        """
        encode_checked(load)
        await self.stop()
        self._load = load
        self._lifecycle = Lifecycle(self._settings.policy)
        self.start()

    def submit(self, generate: Generate) -> None:
        """Run one request; its frames and at last Done, Failed or EngineDied are posted.

        If the child is not READY or BUSY, Failed with the code `engine_unavailable` is posted: the
        news of its death may be on the way to the caller while the caller submits. A key that runs
        already goes on running.

        Raises:
            ValueError: A field is out of its range; nothing was sent.
        """
        data = encode_checked(generate)
        if life := self._serving(generate.key):
            life.submit(generate.key, data)

    def cancel(self, key: str) -> None:
        """End that run within `cancel_s`, by force if need be; other keys are ignored."""
        if self._life is not None and self.state is State.BUSY:
            self._life.cancel(key)

    def learn(self, key: str, messages: tuple[Message, ...]) -> None:
        """Let the child read a prefix while it is idle, and keep it.

        Each errand (learn, restore, save, measure) is answered once: Learned, Saved, Measured or
        Failed is posted.
        If the child dies, they are forgotten; the next EngineUp is the time to begin anew.

        Raises:
            ValueError: A field is out of its range or the key is not one of an errand.
        """
        self._errand(Learn(key=key, messages=messages))

    def restore(
        self, key: str, messages: tuple[Message, ...], fd: int, offset: int, size: int
    ) -> None:
        """Like `learn`, from `size` bytes at `offset` of the file `fd`, which were saved before.

        The descriptor stays the caller's, who may close it after this call. If it cannot be passed
        on, Failed with the code `no_descriptor` is posted.

        Raises:
            ValueError: As in `learn`.
        """
        self._errand(Restore(key=key, messages=messages, offset=offset, size=size), fd)

    def save(self, key: str, fd: int) -> None:
        """Have the state of a prefix written into the memory file `fd`; see `restore`.

        Raises:
            ValueError: As in `learn`.
        """
        self._errand(Save(key=key), fd)

    def unlearn(self, key: str) -> None:
        """Let the child keep that prefix no longer; there is no answer to this.

        Raises:
            ValueError: As in `learn`.
        """
        data = _errand_bytes(Unlearn(key=key))
        if self._life is not None and self.state in SERVING:
            self._life.send(data)

    def measure(self, measure: Measure) -> None:
        """Time made-up tokens while the child is idle; Measured or Failed is posted.

        Raises:
            ValueError: A field is out of its range or the key is not one of a measurement.
        """
        self._errand(measure)

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

    def _errand(self, frame: Learn | Restore | Save | Measure, fd: int | None = None) -> None:
        data = _errand_bytes(frame)
        if (life := self._serving(frame.key)) is None:
            return
        if fd is None or life.lend(fd):
            life.errand(frame.key, data)
        else:
            message = "the descriptor could not be passed on"
            self._post(Failed(key=frame.key, code="no_descriptor", message=message))

    def _serving(self, key: str) -> Life | None:
        """The child if it takes work; else this work is answered."""
        if self._life is not None and self.state in SERVING:
            return self._life
        message = f"the engine is {self.state.value}"
        self._post(Failed(key=key, code="engine_unavailable", message=message))
        return None

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


def _errand_bytes(frame: Learn | Restore | Save | Unlearn | Measure) -> bytes:
    known = is_measure if isinstance(frame, Measure) else is_errand
    if not known(frame.key):
        message = f"{frame.key!r} is no key of an errand"
        raise ValueError(message)
    return encode_checked(frame)
