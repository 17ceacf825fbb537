from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from edged.mqtt import gather
from edged.mqtt.gather import GatheringClient

if TYPE_CHECKING:
    from collections.abc import Iterator

HOURS_S = 1e4
PATIENCE_S = 30.0
A_WHILE_S = 0.2

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
        client.drop()


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


def test_a_turn_takes_over_what_is_queued_and_writes_nothing(pair: Pair) -> None:
    client, theirs = pair
    client.publish("t", b"one")
    assert client.turn(0.0) == MQTTErrorCode.MQTT_ERR_SUCCESS
    with pytest.raises(BlockingIOError):
        theirs.recv(1)
    assert client.want_write()


def test_no_packet_but_wake_ends_a_turn_that_waits(pair: Pair) -> None:
    client, _ = pair
    waiting = threading.Thread(target=client.turn, args=(HOURS_S,))
    waiting.start()
    client.publish("t", b"one")
    client.flush()
    waiting.join(A_WHILE_S)
    assert waiting.is_alive()
    client.wake()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    # One call ends one turn.
    began = time.monotonic()
    client.turn(A_WHILE_S)
    assert time.monotonic() - began >= A_WHILE_S / 2


def test_what_the_socket_did_not_take_is_written_when_it_can(pair: Pair) -> None:
    client, theirs = pair
    client.publish("t", bytes(4 << 20))
    client.flush()
    began = time.monotonic()
    while not theirs.recv(1 << 20):
        pass
    client.turn(HOURS_S)
    assert time.monotonic() - began < PATIENCE_S


def test_who_waits_is_woken_when_the_line_is_dropped(pair: Pair) -> None:
    client, _ = pair
    codes: list[MQTTErrorCode] = []
    waiting = threading.Thread(target=lambda: codes.append(client.turn(HOURS_S)))
    waiting.start()
    time.sleep(A_WHILE_S)
    client.drop()
    waiting.join(PATIENCE_S)
    assert codes == [MQTTErrorCode.MQTT_ERR_NO_CONN]
    assert client.turn(HOURS_S) == MQTTErrorCode.MQTT_ERR_NO_CONN
    client.wake()
    client.drop()


def test_threads_that_queue_and_write_at_once_lose_and_tear_nothing(pair: Pair) -> None:
    client, theirs = pair
    payloads = [f"{thread}/{number:04}".encode() for thread in range(4) for number in range(500)]

    def publish(mine: list[bytes]) -> None:
        for payload in mine:
            client.publish("t", payload)
            client.flush()

    threads = [
        threading.Thread(target=publish, args=(payloads[at : at + 500],))
        for at in range(0, len(payloads), 500)
    ]
    for thread in threads:
        thread.start()
    received = bytearray()
    while any(thread.is_alive() for thread in threads):
        received = _rest(theirs, received)
        client.turn(0.0)
    client.flush()
    received = _rest(theirs, received)
    packet = 2 + 2 + 1 + len(payloads[0])
    found = [bytes(received[at + 5 : at + packet]) for at in range(0, len(received), packet)]
    assert sorted(found) == payloads


def test_a_broken_line_is_no_exception(pair: Pair) -> None:
    client, theirs = pair
    theirs.close()
    client.publish("t", b"x")
    client.flush()
