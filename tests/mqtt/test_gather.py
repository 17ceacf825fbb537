from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edged.mqtt import gather
from edged.mqtt.gather import GatheringClient

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[GatheringClient, socket.socket]


@pytest.fixture(name="pair")
def _pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003 - the standard library's
    theirs.setblocking(False)  # noqa: FBT003 - the standard library's
    client = GatheringClient(CallbackAPIVersion.VERSION2)
    client._sock = ours
    with ours, theirs:
        yield client, theirs
        client._sock = None


def test_nothing_leaves_before_the_flush_and_then_all_in_one_piece(pair: Pair) -> None:
    client, theirs = pair
    client.publish("reply", b"one")
    client.publish("receipt", b"two")
    assert client.want_write()
    with pytest.raises(BlockingIOError):
        theirs.recv(1)
    client.flush()
    received = theirs.recv(4096)
    assert received.index(b"one") < received.index(b"two")
    assert not client.want_write()


def test_what_the_socket_does_not_take_waits_and_loses_no_byte(pair: Pair) -> None:
    client, theirs = pair
    payload = bytes(range(256)) * 8192
    client.publish("t", payload)
    client.flush()
    assert client.want_write()
    received = bytearray()
    while client.want_write():
        received += theirs.recv(1 << 20)
        client.flush()
    assert _rest(theirs, received).endswith(payload)


def _rest(theirs: socket.socket, received: bytearray) -> bytearray:
    try:
        while data := theirs.recv(1 << 20):
            received += data
    except BlockingIOError:
        pass
    return received


def test_a_socket_that_stands_still_costs_a_bounded_buffer(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = pair
    monkeypatch.setattr(gather, "MAX_GATHERED_BYTES", 1000)
    for _ in range(100):
        client.publish("t", b"x" * 500_000)
        client.flush()
    assert len(client._gathered) < 2 * 500_100


def test_a_goodbye_leaves_before_the_socket_is_closed(pair: Pair) -> None:
    client, theirs = pair
    client.publish("offline", b"bye")
    client.disconnect()
    client._sock_close()
    assert b"bye" in theirs.recv(4096)
    assert theirs.recv(1) == b""


def test_what_a_line_given_up_has_not_sent_never_arrives() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = GatheringClient(CallbackAPIVersion.VERSION2)
        client._sock = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
        with theirs:
            client.publish("reply", b"late")
            client.loop_write()
            client.drop()
            with pytest.raises(ConnectionResetError):
                theirs.recv(4096)


def test_a_broken_line_is_no_exception(pair: Pair) -> None:
    client, theirs = pair
    theirs.close()
    client.publish("t", b"x")
    client.flush()
