"""Slow tokens leave one by one, fast ones together; nothing is lost."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from edged.engine.codec import from_child
from edged.engine.frames import Beat, Delta, FromChild
from edged.engine.worker import output
from edged.engine.worker.channel import BEAT_S, Channel
from edged.engine.worker.output import FLUSH_S, Output

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(0.0)
    with ours, theirs:
        yield Channel(theirs), ours


def sent(sock: socket.socket) -> list[FromChild]:
    try:
        return list(from_child().feed(sock.recv(1 << 20)))
    except BlockingIOError:
        return []


def delta(text: str, tokens: int) -> Delta:
    return Delta(key="k", text=text, tokens=tokens)


def test_slow_tokens_leave_at_once(ends: tuple[Channel, socket.socket]) -> None:
    channel, sock = ends
    out = Output(channel, "k", ())
    for number in range(3):
        assert not out.add(b"x", 100.0 + number)
        assert sent(sock) == [delta("x", 1)]
    out.flush()
    out.close()
    assert sent(sock) == []


def test_fast_tokens_leave_together(ends: tuple[Channel, socket.socket]) -> None:
    channel, sock = ends
    out = Output(channel, "k", ())
    for number in range(10):
        out.leave()
        out.add(b"x", 100.0 + number * FLUSH_S * 0.3)
    out.close()
    assert sent(sock) == [delta("x", 1), delta("xxxx", 4), delta("xxxx", 4), delta("x", 1)]


def test_what_is_due_leaves_before_the_next_token(ends: tuple[Channel, socket.socket]) -> None:
    channel, sock = ends
    out = Output(channel, "k", ())
    out.add(b"a", 100.0)
    assert sent(sock) == [delta("a", 1)]
    out.leave()
    out.add(b"b", 100.0 + FLUSH_S * 0.5)
    out.leave()
    assert sent(sock) == [], "it is not due"
    out.add(b"c", 100.0 + FLUSH_S * 1.2)
    assert sent(sock) == [], "it has time until the next token"
    out.leave()
    assert sent(sock) == [delta("bc", 2)]
    out.leave()
    assert sent(sock) == []


def test_what_was_due_leaves_with_the_next_token_at_the_latest(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, sock = ends
    out = Output(channel, "k", ())
    for number in range(4):
        out.add(b"x", 100.0 + number * FLUSH_S * 0.6)
    assert sent(sock) == [delta("x", 1), delta("xxx", 3)]


def test_flush_sends_what_there_is(ends: tuple[Channel, socket.socket]) -> None:
    channel, sock = ends
    out = Output(channel, "k", ())
    out.add(b"a", 100.0)
    out.add(b"b", 100.0)
    out.flush()
    assert sent(sock) == [delta("a", 1), delta("b", 1)]


def test_tokens_without_text_are_counted_with_the_next(ends: tuple[Channel, socket.socket]) -> None:
    channel, sock = ends
    out = Output(channel, "k", ())
    for number, byte in enumerate("€".encode()):
        out.add(bytes([byte]), 100.0 + number)
    assert [f for f in sent(sock) if isinstance(f, Delta)] == [delta("€", 3)]


def test_a_silence_is_broken_by_a_beat(ends: tuple[Channel, socket.socket]) -> None:
    channel, sock = ends
    out = Output(channel, "k", ())
    out.add(b"\xe2", channel.sent_at + BEAT_S / 2)
    assert sent(sock) == []
    out.add(b"", channel.sent_at + BEAT_S)
    assert sent(sock) == [Beat()]
    out.close()
    assert sent(sock) == [delta("\ufffd", 2)]


def test_a_stop_string(ends: tuple[Channel, socket.socket]) -> None:
    channel, sock = ends
    out = Output(channel, "k", ("\n\n",))
    assert not out.add(b"a\n", 100.0)
    assert out.add(b"\n", 100.0)
    out.close()
    assert sent(sock) == [delta("a", 1), delta("", 1)]


def test_what_may_be_cut_leaves_in_sentences(ends: tuple[Channel, socket.socket]) -> None:
    channel, sock = ends
    out = Output(channel, "k", ())
    pieces = (b"It is", b" warm", b".", b" The", b" door is")
    for number, piece in enumerate(pieces):
        out.add(piece, 100.0 + number)
        out.hold()
    texts = ["It is", "", "", " warm.", ""]
    assert sent(sock) == [delta(text, 1) for text in texts]
    out.close(cut=True)
    assert sent(sock) == []


def test_what_ends_by_itself_loses_nothing(ends: tuple[Channel, socket.socket]) -> None:
    channel, sock = ends
    out = Output(channel, "k", ())
    out.hold()
    out.add(b"It is ", 100.0)
    out.close()
    assert sent(sock) == [delta("", 1), delta("It is ", 0)]


@pytest.mark.parametrize(("cut", "text"), [(True, "4 "), (False, "4 \ufffd")])
def test_a_cut_text_does_not_end_in_half_a_character(
    ends: tuple[Channel, socket.socket], text: str, *, cut: bool
) -> None:
    channel, sock = ends
    out = Output(channel, "k", ())
    out.add("4 €".encode()[:-1], 100.0)
    out.close(cut=cut)
    assert "".join(f.text for f in sent(sock) if isinstance(f, Delta)) == text


def test_nothing_makes_no_frame(ends: tuple[Channel, socket.socket]) -> None:
    channel, sock = ends
    Output(channel, "k", ()).close()
    assert sent(sock) == []
    assert output.FLUSH_S < BEAT_S
