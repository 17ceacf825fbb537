"""The child's one loop: attend to frames, take one step of computing, repeat.

There is no second thread. Between steps frames are read without blocking; inside a long step
llama.cpp's abort callback does it. With nothing to compute the loop blocks on the socket.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from edged.engine.frames import (
    Beat,
    Cancel,
    Generate,
    Learn,
    Load,
    LoadFailed,
    Loading,
    Measure,
    Pace,
    Quit,
    Restore,
    Save,
    ToChild,
    Unlearn,
)
from edged.engine.worker.channel import BEAT_S, Channel
from edged.engine.worker.model import LoadError
from edged.engine.worker.native import llama
from edged.engine.worker.opening import open_desk
from edged.engine.worker.tally import Tally
from edged.errors import FrameError

if TYPE_CHECKING:
    import socket

    from edged.engine.worker.desk import Desk

# A graph has hundreds to thousands of nodes and the callback is asked at each: look at the socket
# as rarely as a person waiting for a cancel allows.
LOOK_S = 0.05
# Those who ask at once come within some ten milliseconds of each other, for each first one's row
# is synced to the disk before the next ones', and may join a step that has just begun.
YOUNG_S = 0.1
YOUNG_LOOK_S = 0.01
_LOADING_FRAME_S = 0.25
_MAX_LINE = 4000


class Worker:
    """Serves one daemon until it says Quit or closes the socket.

    Args:
        channel: The socket to it.
        side: The socket over which it sends descriptors.
    """

    def __init__(self, channel: Channel, side: socket.socket) -> None:
        self._channel = channel
        self._side = side
        self._abort = llama.ggml_abort_callback(self._at_node)
        self._look_at = 0.0
        self._loading_at = 0.0
        self._broken: FrameError | None = None
        self._interrupted = False
        self._load: Load | None = None
        self._desk: Desk | None = None
        self._early: list[ToChild] = []
        self._pace: Pace | None = None
        self._idle_ratio = 0.0
        self._tally = Tally()
        self._began_at = self._woke_at = 0.0
        self._rested_s = 0.0

    def run(self) -> None:
        """Load, then answer requests; returns only if the model cannot be loaded.

        Raises:
            FrameError: The daemon broke the protocol.
        """
        while self._load is None:
            self._attend(None)
        try:
            desk = self._open(self._load)
        except LoadError as error:
            self._channel.send(LoadFailed(code=error.code, message=str(error)[:_MAX_LINE]))
            return
        while True:
            self._attend(None if desk.idle else 0.0)
            self._advance(desk)

    def _open(self, load: Load) -> Desk:
        try:
            desk, ready = open_desk(load, self._channel, self._side, self._progress, self._abort)
        finally:
            self._raise_if_broken()
        self._channel.send(ready)
        self._desk = desk
        early, self._early = self._early, []
        for frame in early:
            self._take(desk, frame)
        return desk

    def _advance(self, desk: Desk) -> None:
        """One step, if there is anything to compute."""
        if self._pace is not None:
            self._apply(desk, self._pace)
        began = self._began_at = self._woke_at = time.monotonic()
        self._tally.begin(began)
        self._interrupted, self._rested_s = False, 0.0
        self._look_at = began + YOUNG_LOOK_S
        computed = desk.advance()
        self._raise_if_broken()
        now = time.monotonic()
        rest_s = desk.wait_s()
        if computed:
            self._tally.computed(now, desk.cores, desk.decoded)
            self._tell_effort(desk, now)
            busy_s = now - began - self._rested_s
            desk.forecast.observe(busy_s, desk.read, desk.decoded)
            rest_s = max(rest_s, busy_s * self._idle_ratio - self._rested_s)
        if rest_s > 0.0:
            self._rest(desk, rest_s)

    # Frames.

    def _attend(self, timeout_s: float | None) -> None:
        for frame in self._channel.receive(timeout_s):
            self._handle(frame)

    def _handle(self, frame: ToChild) -> None:
        match frame:
            case Quit():
                # Native destructors would only give back what the kernel takes anyway.
                os._exit(0)
            case Pace():
                self._pace = frame
            case Load() if self._load is None:
                self._load = frame
            case Load():
                _refuse(frame)
            case _ if self._load is None:
                _refuse(frame)
            case _ if self._desk is None:
                self._early.append(frame)
            case _:
                self._take(self._desk, frame)

    def _take(self, desk: Desk, frame: ToChild) -> None:
        match frame:
            case Cancel():
                desk.runs.cancel(frame.key)
            case Generate():
                if not desk.arrive(frame):
                    _refuse(frame)
            case Learn() | Restore() | Save() | Unlearn() | Measure():
                if not desk.errands.add(frame):
                    _refuse(frame)

    # Inside native code.

    def _at_node(self, _data: object) -> bool:
        """Asked by llama.cpp before each node of a prompt's graph; true aborts."""
        now = time.monotonic()
        if now >= self._look_at:
            young = now - self._began_at < YOUNG_S
            self._look_at = now + (YOUNG_LOOK_S if young else LOOK_S)
            self._look(now)
        return self._interrupted

    def _look(self, now: float) -> None:
        try:
            self._attend(0.0)
        except FrameError as error:
            # An exception cannot pass through native code.
            self._broken, self._interrupted = error, True
        self._beat(now)
        if self._desk is None:
            return
        self._tally.computing(now, self._desk.cores)
        self._tell_effort(self._desk, now)
        self._interrupted |= self._desk.interrupted
        if self._pace is not None:
            self._idle_ratio = _ratio(self._pace)
        if self._idle_ratio and not self._interrupted:
            self._pause(now)

    def _pause(self, now: float) -> None:
        """Rest inside a long step: only this thread asks, and the others wait for it."""
        rest_s = min((now - self._woke_at) * self._idle_ratio, BEAT_S)
        time.sleep(rest_s)
        self._rested_s += rest_s
        self._woke_at = time.monotonic()
        self._tally.begin(self._woke_at)
        self._look_at = self._woke_at + LOOK_S

    def _tell_effort(self, desk: Desk, now: float) -> None:
        if self._tally.due(now):
            self._channel.send(self._tally.effort(now, desk.decoding, desk.threads))

    def _beat(self, now: float) -> None:
        if now - self._channel.sent_at >= BEAT_S:
            self._channel.send(Beat())

    def _progress(self, done: float) -> None:
        now = time.monotonic()
        if now - self._loading_at >= _LOADING_FRAME_S:
            self._loading_at = now
            self._channel.send(Loading(percent=min(100.0, max(0.0, done * 100.0))))
            self._look(now)

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise self._broken

    # Pace.

    def _apply(self, desk: Desk, pace: Pace) -> None:
        self._pace = None
        desk.set_pace(pace)
        self._idle_ratio = _ratio(pace)

    def _rest(self, desk: Desk, seconds: float) -> None:
        """Sleep until the next step, awake for frames."""
        until = time.monotonic() + seconds
        desk.flush()
        while not desk.changed and self._pace is None:
            left = until - time.monotonic()
            if left <= 0.0:
                return
            self._attend(min(left, BEAT_S, max(0.0, desk.runs.next_end - time.monotonic())))
            now = time.monotonic()
            self._tell_effort(desk, now)
            self._beat(now)


def _ratio(pace: Pace) -> float:
    """Seconds to rest for a second of computing."""
    return pace.idle_share / (1.0 - pace.idle_share)


def _refuse(frame: ToChild) -> None:
    message = f"{type(frame).__name__} out of order"
    raise FrameError(message)
