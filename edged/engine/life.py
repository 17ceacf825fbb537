"""One life of the engine child: what it may say when, its deadlines, and its cause of death.

Whoever decides that the child must die writes the verdict first, so that the cause is reported and
not the SIGKILL that followed.
"""

from __future__ import annotations

import asyncio
import os
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from edged.engine.child import Child, child_environment
from edged.engine.codec import encode_checked, from_child
from edged.engine.events import During, EngineDied, EngineEvent, EngineUp
from edged.engine.frames import (
    Beat,
    Cancel,
    Delta,
    Done,
    Effort,
    Failed,
    FromChild,
    Learned,
    Load,
    LoadFailed,
    Loading,
    Measured,
    News,
    Prefill,
    Quit,
    Ready,
    Saved,
)
from edged.engine.lifecycle import Lifecycle, State, Trigger
from edged.engine.work import Work
from edged.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edged.clock import Clock

# A child that closed its socket or reported LoadFailed has nothing left to do but exit.
EXIT_GRACE_S = 1.0
# After a deadline one more look: if this process was itself stopped, the frames that prove the
# child's progress wait unread in the socket.
LAST_CALL_S = 0.2

#: What each state lets the child say; anything else is a lie. Errands go on in both of the last.
EXPECTED = MappingProxyType(
    {
        State.STARTING: (Loading, Ready, LoadFailed, Beat),
        State.READY: (Prefill, Failed, Learned, Saved, Measured, Effort, Beat),
        State.BUSY: (Prefill, Delta, Done, Failed, Learned, Saved, Measured, Effort, Beat),
    }
)


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long the child may be silent, in seconds.

    Attributes:
        boot_s: From birth to the first frame, if that is more than `stall_s`: Python and the
            libraries load slowly while the board is busy booting.
        load_s: From birth to Ready; a 10 GB file read from an SD card at 90 MB/s takes 110 s.
        stall_s: Without a frame of any progress while it loads or has something to answer.
        cancel_s: From Cancel to the end of that run; a token of a model that swaps takes seconds.
        quit_s: From Quit to its exit.
    """

    boot_s: float = 30.0
    load_s: float = 300.0
    stall_s: float = 60.0
    cancel_s: float = 10.0
    quit_s: float = 2.0


class Life:
    """A child from birth to reaping.

    Args:
        lifecycle: Shared with the supervisor; a life takes the steps LOADED, SUBMITTED, FINISHED.
        load: The first frame it gets.
        timeouts: Its deadlines.
        post: Gets EngineUp and the child's frames.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        load: Load,
        timeouts: Timeouts,
        post: Callable[[EngineEvent], None],
    ) -> None:
        self._lifecycle = lifecycle
        self._load = load
        self._timeouts = timeouts
        self._post = post
        self._now = asyncio.get_running_loop().time
        self._child: Child | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_call = False
        self._verdict: tuple[str, str] | None = None
        self._loaded = False
        self._work = Work()
        self._born_at = self._now()
        # Until the first frame this lies in the future by what booting may take.
        self._progress_at = self._born_at + max(0.0, timeouts.boot_s - timeouts.stall_s)
        self._quit_at: float | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id once it has one."""
        return self._child.pid if self._child else None

    async def run(
        self,
        argv: Sequence[str],
        greeting: bytes,
        log: Callable[[str], None],
        clock: Clock,
    ) -> EngineDied:
        """Live it to the end, sending `greeting` first; `retry_in` is left for the caller."""
        try:
            self._child = child = await Child.spawn(argv, child_environment(os.environ), log, clock)
        except OSError as error:
            self._verdict = ("spawn", str(error))
            return self._obituary(None, None, "")
        try:
            self.send(greeting)
            if self._quit_at is not None:
                self.quit()
            self._watch()
            torn = await self._listen(child)
            signal, code = await child.reap(EXIT_GRACE_S)
            if torn and signal is None and self._verdict is None:
                self._verdict = ("bad_frame", f"exited after {torn} bytes of a frame")
            return self._obituary(signal, code, child.last_words)
        finally:
            self._unwatch()
            child.close()

    def send(self, data: bytes) -> None:
        """Pass encoded frames on; a child that has stopped reading is killed."""
        if self._child is not None and not self._child.send(data):
            self._condemn("stalled", "it does not read its socket")

    def submit(self, key: str, data: bytes) -> None:
        """Start the run `key` with the encoded Generate `data`; the state must be READY or BUSY.

        If it runs already, that is it: whoever submits again had not heard of the last death and
        submitted it to this life before.
        """
        self._set_out()
        if self._work.begin(key):
            self._lifecycle.on(Trigger.SUBMITTED)
            self.send(data)
            self._watch()

    def errand(self, key: str, data: bytes) -> None:
        """Start an errand with an encoded Learn, Restore, Save or Measure; the state stays."""
        self._set_out()
        self._work.send(key)
        self.send(data)
        self._watch()

    def lend(self, fd: int) -> bool:
        """Pass a descriptor for the errand that is sent next; False if that cannot be done."""
        return self._child is not None and self._child.lend(fd)

    def cancel(self, key: str) -> None:
        """Ask for the end of the run `key`, if it runs."""
        if self._work.cancel(key, self._now()):
            self.send(encode_checked(Cancel(key=key)))
            self._watch()

    def quit(self) -> None:
        """Ask the child to exit; it is killed after `quit_s`."""
        self._quit_at = self._now()
        self.send(encode_checked(Quit()))
        self._watch()

    def _set_out(self) -> None:
        """Silence counts from now if there was nothing to answer; else what is going may hang."""
        if not self._work:
            self._progress_at = self._now()

    async def _listen(self, child: Child) -> int:
        """Take frames until the child is done for; returns the bytes of a torn last frame."""
        decoder = from_child()

        def take(data: bytes) -> bool:
            try:
                for frame in decoder.feed(data):
                    self._receive(frame)
            except FrameError as error:
                self._condemn("bad_frame", str(error))
            return self._verdict is None

        if self._verdict is None:
            await child.listen(take)
        return decoder.pending

    def _receive(self, frame: FromChild) -> None:
        state = self._lifecycle.state
        if state is State.STOPPING or self._verdict is not None:
            return
        if not isinstance(frame, EXPECTED[state]):
            message = f"{type(frame).__name__} while {state.value}"
            raise FrameError(message)
        booted, self._progress_at = self._progress_at, self._now()
        if booted > self._progress_at:
            # The first frame: from here on `stall_s` counts, and the timer was set for `boot_s`.
            self._watch()
        match frame:
            case Beat():
                return
            case LoadFailed():
                self._verdict = (frame.code, frame.message)
            case Loading() | Effort():
                self._post(frame)
            case Ready():
                self._lifecycle.on(Trigger.LOADED)
                self._loaded = True
                self._post(EngineUp(ready=frame, load=self._load))
            case _:
                self._progress(frame)

    def _progress(self, frame: News) -> None:
        self._work.take(frame)
        if self._lifecycle.state is State.BUSY and not self._work.runs:
            self._lifecycle.on(Trigger.FINISHED)
        self._post(frame)

    def _condemn(self, reason: str, message: str) -> None:
        if self._verdict is None:
            self._verdict = (reason, message)
        if self._child is not None:
            self._child.kill()

    def _deadline(self) -> tuple[float, str, str] | None:
        """The earliest moment at which silence is fatal, with the verdict; None when idle."""
        limits, cancelled_at = self._timeouts, self._work.cancelled_at
        stalled = (
            self._progress_at + limits.stall_s,
            "stalled",
            f"silent for {limits.stall_s:g} s",
        )
        if self._quit_at is not None:
            return (self._quit_at + limits.quit_s, "stalled", "it did not exit")
        if self._lifecycle.state is State.STARTING:
            late = (self._born_at + limits.load_s, "load_timeout", f"over {limits.load_s:g} s")
            return min(stalled, late)
        if not self._work:
            return None
        if cancelled_at is None:
            return stalled
        return min(stalled, (cancelled_at + limits.cancel_s, "stalled", "it did not cancel"))

    def _watch(self) -> None:
        """Look at the deadlines now, and again when the earliest is due."""
        self._unwatch()
        deadline = self._deadline()
        if deadline is None or self._child is None:
            self._last_call = False
            return
        due, reason, message = deadline
        now = self._now()
        if now < due:
            self._last_call = False
        elif self._last_call:
            self._condemn(reason, message)
            return
        else:
            self._last_call = True
            due = now + LAST_CALL_S
        self._timer = asyncio.get_running_loop().call_at(due, self._watch)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _obituary(self, signal: str | None, code: int | None, last_words: str) -> EngineDied:
        reason, message = self._verdict or (signal or f"exit {code}", last_words)
        during: During = self._work.during if self._loaded else "load"
        return EngineDied(
            signal=signal,
            code=code,
            reason=reason,
            message=message,
            during=during,
            runs=self._work.lost(),
            retry_in=None,
        )
