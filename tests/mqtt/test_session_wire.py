"""What the session writes, in which order, and what it makes of a broker's odd words."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from edged.mqtt.packet import (
    Connected,
    Disconnected,
    Incoming,
    Outgoing,
    Refused,
    Settled,
    Taken,
)
from tests.mqtt.rider import Rider
from tests.mqtt.scripted import DISCONNECT, PUBACK, PUBLISH, Line, ScriptedBroker

pytestmark = pytest.mark.process

RECEIVE_MAXIMUM_1 = b"\x21\x00\x01"


def up(line: Line, properties: bytes = b"") -> None:
    """CONNACK, SUBACK, and the PUBACK of `online`."""
    line.connack(properties)
    line.suback(1, 1, 1, 1)
    line.puback(line.read(PUBLISH).mid)


def test_reply_then_receipt_then_acknowledgement() -> None:
    seen: list[tuple[int, str]] = []
    done = threading.Event()

    def script(line: Line) -> None:
        up(line)
        line.publish("edged/test/request", b"a", 7)
        for _ in range(3):
            packet = line.read(PUBLISH, PUBACK)
            seen.append((packet.kind, packet.topic if packet.kind == PUBLISH else str(packet.mid)))
        done.set()
        line.read(DISCONNECT)

    with ScriptedBroker(script) as broker, Rider(broker.port, answer=True):
        assert done.wait(30.0)
    assert seen == [
        (PUBLISH, "edged/test/reply/a"),
        (PUBLISH, "edged/test/receipt"),
        (PUBACK, "7"),
    ]


def test_window_of_the_broker_holds_replies_and_their_acknowledgements() -> None:
    order: list[str] = []
    done = threading.Event()

    def script(line: Line) -> None:
        up(line, RECEIVE_MAXIMUM_1)
        line.publish("edged/test/request", b"a", 1)
        line.publish("edged/test/request", b"b", 2)
        first = line.read(PUBLISH)
        order.append(first.topic)
        line.read(PUBLISH)
        order.append(f"ack {line.read(PUBLISH, PUBACK).mid}")
        line.puback(first.mid)
        order.append(line.read(PUBLISH, PUBACK).topic)
        line.read(PUBLISH)
        order.append(f"ack {line.read(PUBLISH, PUBACK).mid}")
        done.set()
        line.read(DISCONNECT)

    with ScriptedBroker(script) as broker, Rider(broker.port, answer=True):
        assert done.wait(30.0)
    assert order == ["edged/test/reply/a", "ack 1", "edged/test/reply/b", "ack 2"]


def test_taken_over_by_a_second_daemon_is_no_tug_of_war() -> None:
    def script(line: Line) -> None:
        up(line)
        line.send(DISCONNECT, b"\x8e\0")
        line.read()

    with ScriptedBroker(script) as broker, Rider(broker.port) as rider:
        lost = rider.wait(Disconnected)
        assert (lost.code, lost.retry_in_s >= 30.0) == ("session_taken_over", True)


def test_a_contested_session_is_not_taken_back_at_once_whatever_ended_it() -> None:
    def script(line: Line) -> None:
        up(line)  # and the line breaks, without a word from the broker

    with ScriptedBroker(script) as broker:
        rider = Rider(broker.port)
        rider.session.contested = True
        with rider:
            lost = rider.wait(Disconnected)
            assert (lost.code, lost.retry_in_s >= 30.0) == ("connection_lost", True)


@pytest.mark.parametrize(
    ("reason", "code", "patient"),
    [
        (0x86, "bad_credentials", True),
        (0x87, "not_authorised", True),
        (0x89, "broker_unavailable", False),
    ],
)
def test_refused_connect_is_named(reason: int, code: str, *, patient: bool) -> None:
    script = partial(Line.connack, reason=reason)
    with ScriptedBroker(script) as broker, Rider(broker.port) as rider:
        lost = rider.wait(Disconnected)
        assert (lost.code, lost.retry_in_s >= 30.0) == (code, patient)


@pytest.mark.parametrize(
    "junk", [b"\x20\x00", b"\x20\x03\x00\x00\x7f", b"\xff" * 10, b"HTTP/1.1 400"]
)
def test_junk_instead_of_a_connack_ends_the_try_and_nothing_else(junk: bytes) -> None:
    def script(line: Line) -> None:
        line.read()
        line.raw(junk)
        line.read()

    with ScriptedBroker(script) as broker, Rider(broker.port, connect_timeout_s=0.5) as rider:
        assert rider.wait(Disconnected).code in {"protocol", "connection_lost", "no_answer"}
        assert rider.of(Connected) == []


def test_junk_in_a_publish_ends_the_connection_and_the_next_one_serves() -> None:
    first = threading.Event()

    def script(line: Line) -> None:
        up(line)
        if not first.is_set():
            first.set()
            line.raw(b"\x32\x03\x00\x40x")
            line.read(DISCONNECT)
        line.publish("edged/test/request", b"good", 1)
        line.read(DISCONNECT)

    with ScriptedBroker(script) as broker, Rider(broker.port) as rider:
        assert rider.wait(Incoming).payload == b"good"
        assert rider.wait(Disconnected).code in {"protocol", "connection_lost"}


def test_suback_that_never_comes() -> None:
    def script(line: Line) -> None:
        line.connack()
        line.read(DISCONNECT)

    with ScriptedBroker(script) as broker, Rider(broker.port, connect_timeout_s=0.3) as rider:
        assert rider.wait(Disconnected).code == "no_answer"


def test_quota_refusal_of_a_reply_is_told() -> None:
    def script(line: Line) -> None:
        line.connack()
        line.suback(1)
        line.suback(1, 1, 1, 1)
        while True:
            packet = line.read(PUBLISH)
            if packet.flags & 2:
                line.puback(packet.mid, 0x97 if "/reply/" in packet.topic else 0)

    with ScriptedBroker(script) as broker:
        rider = Rider(broker.port)
        rider.reply("x")
        with rider:
            taken = rider.wait(Taken)
            assert (taken.tag, taken.refused) == ("x", "Quota exceeded")
            assert rider.wait(Refused).reason == "Quota exceeded"


def test_what_an_old_subscription_brings_is_acknowledged_and_dropped() -> None:
    acknowledged = threading.Event()

    def script(line: Line) -> None:
        up(line)
        line.publish("some/old/topic", b"x", 9)
        assert line.read(PUBACK).mid == 9
        line.publish("edged/test/receipt", b"[]", 10)
        acknowledged.set()
        line.read(DISCONNECT)

    with ScriptedBroker(script) as broker, Rider(broker.port) as rider:
        assert acknowledged.wait(30.0)
        assert rider.of(Incoming) == []


def test_a_topic_that_is_no_text_is_acknowledged_and_dropped() -> None:
    acknowledged = threading.Event()

    def script(line: Line) -> None:
        up(line)
        line.raw(b"\x32\x08\x00\x02\xff\xfe\x00\x05\x00x")
        assert line.read(PUBACK).mid == 5
        acknowledged.set()
        line.read(DISCONNECT)

    with ScriptedBroker(script) as broker, Rider(broker.port) as rider:
        assert acknowledged.wait(30.0)
        assert rider.of(Incoming) == []


def test_lost_broker_while_closing_ends_the_wait() -> None:
    def script(line: Line) -> None:
        up(line)
        line.read(PUBLISH)  # `offline`, and then the broker is gone

    with ScriptedBroker(script) as broker, Rider(broker.port) as rider:
        rider.wait_up()
        rider.close(5.0)


def heard(rider: Rider) -> list[bytes]:
    return [event.payload for event in rider.of(Incoming)]


def test_what_was_asked_while_we_were_away_waits_for_what_is_retained() -> None:
    asked, known = threading.Event(), threading.Event()

    def script(line: Line) -> None:
        line.connack()
        line.publish("edged/test/request", b"first", 1)
        line.suback(0, 1, 1, 1, 1)
        online = line.read(PUBLISH)
        line.publish("hall/door", b"open", 2)
        line.publish("edged/test/request", b"second", 3)
        asked.set()
        assert known.wait(30.0)
        line.puback(online.mid)
        line.publish("edged/test/request", b"third", 4)
        line.read(DISCONNECT)

    facts = ("hall/door",)
    with ScriptedBroker(script) as broker, Rider(broker.port, facts=facts) as rider:
        assert asked.wait(30.0)
        rider.wait(Incoming)
        assert heard(rider) == [b"open"]
        known.set()
        rider.wait(Incoming, count=4)
        assert heard(rider) == [b"open", b"first", b"second", b"third"]
        assert len(rider.of(Settled)) == 1


def test_a_broker_that_confirms_nothing_holds_nothing_back_for_long() -> None:
    def script(line: Line) -> None:
        line.connack()
        line.publish("edged/test/request", b"first", 1)
        line.suback(0, 1, 1, 1, 1)
        line.read(DISCONNECT)

    facts = ("hall/door",)
    with ScriptedBroker(script) as broker, Rider(broker.port, facts=facts) as rider:
        rider.wait(Incoming)
        assert heard(rider) == [b"first"]


def test_what_is_only_written_confirms_nothing_of_what_the_broker_keeps() -> None:
    """A delta has QoS 0 and is told as published once it is on the line."""
    known = threading.Event()

    def script(line: Line) -> None:
        line.connack()
        line.suback(0, 1, 1, 1, 1)
        online = line.read(PUBLISH)
        assert line.read(PUBLISH).topic == "edged/test/stream/x"
        line.publish("hall/door", b"open", 2)
        assert known.wait(30.0)
        line.puback(online.mid)
        line.read(DISCONNECT)

    facts = ("hall/door",)
    with ScriptedBroker(script) as broker, Rider(broker.port, facts=facts) as rider:
        rider.wait_up()
        rider.publish(Outgoing(topic="edged/test/stream/x", payload=b"{}"))
        rider.wait(Incoming)
        assert rider.of(Settled) == []
        known.set()
        rider.wait(Settled)
