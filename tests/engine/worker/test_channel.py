"""The child's socket: frames in and out, and the end of everything when it closes."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, NoReturn

import pytest

from edged.engine.codec import encode, from_child
from edged.engine.frames import Beat, Cancel, Delta, Quit
from edged.engine.worker.channel import Channel
from edged.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Exited(BaseException):
    """Stands for os._exit."""


@pytest.fixture(autouse=True)
def survive(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(status: int) -> NoReturn:
        raise Exited(status)

    monkeypatch.setattr(os, "_exit", leave)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_frames_in_any_split(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    channel = Channel(theirs)
    data = encode(Cancel(key="k")) + encode(Quit())
    assert list(channel.receive(0.0)) == []
    ours.sendall(data[:10])
    assert list(channel.receive(None)) == []
    ours.sendall(data[10:])
    assert list(channel.receive(1.0)) == [Cancel(key="k"), Quit()]


def test_what_is_held_leaves_together_and_in_order(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    ours.settimeout(0.0)
    channel = Channel(theirs)
    channel.hold()
    channel.send(Beat())
    channel.hold()
    channel.send(Delta(key="k", text="x", tokens=1))
    with pytest.raises(BlockingIOError):
        ours.recv(1)
    channel.release()
    assert list(from_child().feed(ours.recv(1000))) == [
        Beat(),
        Delta(key="k", text="x", tokens=1),
    ]
    channel.release()
    channel.send(Beat())
    assert list(from_child().feed(ours.recv(1000))) == [Beat()]


def test_garbage_is_a_frame_error(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    ours.sendall(b"\xff" * 10)
    with pytest.raises(FrameError):
        list(Channel(theirs).receive(None))


def test_a_closed_socket_ends_the_process(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    channel = Channel(theirs)
    ours.close()
    with pytest.raises(Exited):
        channel.receive(None)
    with pytest.raises(Exited):
        channel.send(Beat())


def test_a_reset_socket_ends_the_process(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    channel = Channel(theirs)
    channel.send(Beat())
    # Closing with unread data makes the kernel report a reset instead of an end.
    ours.close()
    with pytest.raises(Exited):
        channel.receive(None)
