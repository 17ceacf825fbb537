"""A worker process on sockets of the bench's own: frames in, frames out, no supervisor."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from edged.engine.child import child_environment
from edged.engine.codec import encode, from_child
from edged.engine.frames import Done, Failed, Frame, Generate, LoadFailed, Ready

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from edged.engine.frames import FromChild, Load, Message, ToChild

READ_BYTES: Final = 1 << 20
TIMEOUT_S: Final = 600.0
EXIT_S: Final = 10.0
TROUBLE_CHARACTERS: Final = 1000  # of stderr
F = TypeVar("F", bound=Frame)

WORKER: Final = ("-m", "edged.engine.worker")


class WorkerError(Exception):
    """The worker failed where the bench needs an answer."""


class Direct:
    """`with Direct(load) as worker:` starts it and waits until it is ready.

    Args:
        load: What it opens.
        program: Arguments of Python; the numbers of its sockets are appended.
    """

    def __init__(self, load: Load, program: Sequence[str] = WORKER) -> None:
        self._load = load
        self._program = program
        self._decoder = from_child()
        self._heard: deque[FromChild] = deque()
        self._keys = map(str, count())

    def __enter__(self) -> Self:
        self._sock, theirs = socket.socketpair()
        self._side, their_side = socket.socketpair()
        self._sock.settimeout(TIMEOUT_S)
        ends = (theirs.fileno(), their_side.fileno())
        argv = (sys.executable, *self._program, *map(str, ends))
        self._errors = tempfile.TemporaryFile("w+", errors="replace")
        with theirs, their_side:
            self._process = subprocess.Popen(
                argv, pass_fds=ends, env=child_environment(os.environ), stderr=self._errors
            )
        try:
            with contextlib.suppress(ConnectionError):
                self.say(self._load)
            self.ready = self.until(Ready)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def say(self, *frames: ToChild) -> None:
        """Send frames."""
        self._sock.sendall(b"".join(map(encode, frames)))

    def ask(self, *messages: Message, **fields: Any) -> Generate:
        """A request with a key of its own; greedy unless the fields say otherwise."""
        given = {"temperature": 0.0, "repeat_penalty": 1.0, **fields}
        return Generate(key=next(self._keys), messages=messages, **given)

    def answer(self, *requests: Generate) -> list[Done]:
        """Send requests at once and wait for the end of them all."""
        self.say(*requests)
        done: list[Done] = []
        while len(done) < len(requests):
            frame = self.hear()
            if isinstance(frame, Done):
                done.append(frame)
        return done

    def errand(self, frame: ToChild, kind: type[F], descriptor: int | None = None) -> F:
        """Send an errand, after the descriptor it needs, and wait for its answer."""
        if descriptor is not None:
            socket.send_fds(self._side, [b"\0"], [descriptor])
        self.say(frame)
        return self.until(kind)

    def until(self, kind: type[F]) -> F:
        """The next frame of that kind; others are passed over."""
        while not isinstance(heard := self.hear(), kind):
            pass
        return heard

    def heard(self, timeout_s: float) -> bool:
        """Whether `hear` would not wait, after so many seconds at most."""
        return bool(self._heard or select.select([self._sock], [], [], max(0.0, timeout_s))[0])

    def hear(self) -> FromChild:
        """The next frame.

        Raises:
            WorkerError: It is the news of a failure, or the worker is gone.
        """
        while not self._heard:
            if not (data := self._receive()):
                self._errors.seek(0)
                message = f"the worker is gone: {self._errors.read()[-TROUBLE_CHARACTERS:]}"
                raise WorkerError(message)
            self._heard.extend(self._decoder.feed(data))
        frame = self._heard.popleft()
        if isinstance(frame, Failed | LoadFailed):
            message = f"{frame.code}: {frame.message}"
            raise WorkerError(message)
        return frame

    def _receive(self) -> bytes:
        try:
            return self._sock.recv(READ_BYTES)
        except ConnectionError:
            return b""

    def _end(self) -> None:
        self._sock.close()
        self._side.close()
        try:
            self._process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()
