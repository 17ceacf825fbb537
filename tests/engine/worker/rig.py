"""A worker in this process, stepped by hand, and the daemon's end of its sockets."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, NoReturn, Self

from edged.engine.codec import encode, from_child
from edged.engine.frames import Delta, Done, Failed, Message, Ready
from edged.engine.worker.channel import Channel
from edged.engine.worker.loop import Worker
from edged.engine.worker.native import llama
from tests.engine.harness import load

if TYPE_CHECKING:
    import pytest

    from edged.engine.frames import FromChild, Generate, Load, ToChild
    from edged.engine.worker.desk import Desk

MANY_STEPS = 5000


class Exited(BaseException):
    """Stands for os._exit."""


class Rig:
    """Say frames to it, step it, hear what it says."""

    def __init__(self) -> None:
        self._sock, theirs = socket.socketpair()
        self.side, self._their_side = socket.socketpair()
        self._sock.settimeout(0.0)
        self._their_side.settimeout(5.0)
        self._decoder = from_child()
        self.channel = Channel(theirs)
        self._theirs = theirs
        self.worker = Worker(self.channel, self._their_side)
        self.frames: list[FromChild] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.worker._desk is not None:
            # Tests open a hundred of them in one process.
            self.desk._context.close()
            llama.llama_model_free(self.desk._model.native)
        for sock in (self._sock, self._theirs, self.side, self._their_side):
            sock.close()

    @property
    def desk(self) -> Desk:
        assert self.worker._desk is not None
        return self.worker._desk

    def open(self, frame: Load | None = None) -> Self:
        self.worker._load = frame or load(prefill_chunk=16)
        self.worker._open(self.worker._load)
        assert isinstance(self.heard()[-1], Ready)
        return self

    def say(self, *frames: ToChild) -> None:
        self._sock.sendall(b"".join(map(encode, frames)))

    def say_bytes(self, data: bytes) -> None:
        self._sock.sendall(data)

    def heard(self) -> list[FromChild]:
        """What came since the last call."""
        new: list[FromChild] = []
        while True:
            try:
                new += self._decoder.feed(self._sock.recv(1 << 20))
            except BlockingIOError:
                self.frames += new
                return new

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            self.worker._attend(0.0)
            self.worker._advance(self.desk)

    def finish(self) -> list[FromChild]:
        """Step until there is nothing left to do; what was heard on the way."""
        heard: list[FromChild] = []
        for _ in range(MANY_STEPS):
            self.step()
            heard += self.heard()
            if self.desk.idle:
                return heard
        message = "it does not end"
        raise AssertionError(message)

    def answer(self, request: Generate) -> tuple[str, Done]:
        """The text and the sums of one run, which must not fail."""
        self.heard()
        self.say(request)
        frames = self.finish()
        return text(frames, request.key), done(frames, request.key)

    def fail(self, request: Generate) -> Failed:
        self.say(request)
        last = self.finish()[-1]
        assert isinstance(last, Failed)
        return last

    def forget(self) -> None:
        """Empty the context, and what was copied out of it."""
        self.desk._prefixes.forget_all()


def text(frames: list[FromChild], key: str = "k") -> str:
    return "".join(f.text for f in frames if isinstance(f, Delta) and f.key == key)


def done(frames: list[FromChild], key: str = "k") -> Done:
    (only,) = (f for f in frames if isinstance(f, Done) and f.key == key)
    return only


def turn(content: str) -> Message:
    return Message(role="user", content=content)


def system(content: str) -> Message:
    return Message(role="system", content=content)


def no_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let os._exit raise Exited instead."""

    def leave(status: int) -> NoReturn:
        raise Exited(status)

    monkeypatch.setattr(os, "_exit", leave)
