"""The session against a broker and a network that fail: F01, F03, F05, F18, F19."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from edged.mqtt.courier import MAX_UNDELIVERED
from edged.mqtt.packet import Disconnected, Incoming, Outgoing, Refused, Taken
from tests.mqtt.rider import Rider
from tests.rig.broker import Broker, BrokerOptions
from tests.rig.client import TestClient
from tests.rig.proxy import Proxy
from tests.rig.witness import Witness, exactly_one_reply, true_availability

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.rig.proxy import Direction

pytestmark = [pytest.mark.process, pytest.mark.fault]

KEEPALIVE_S = 2
DETECTION_S = 1.5 * KEEPALIVE_S
BROKER_CHECK_S = 5.0  # mosquitto looks at keepalives only so often


def until(wanted: Callable[[], bool], timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not wanted():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.01)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_comes_back_to_a_broker_that_forgot_everything(end: str) -> None:
    with Broker() as broker, Rider(broker.port, answer=True) as rider:
        rider.wait_up()
        getattr(broker, end)()
        assert rider.wait(Disconnected).retry_in_s <= 1.0
        assert not rider.session.connected
        rider.reply("while-away")
        rider.publish(Outgoing(topic="edged/test/stream/x", payload=b"lost"))
        assert rider.session.unconfirmed == 1
        broker.start()
        with Witness(broker.port) as witness:
            back = rider.wait_up(count=2)
            assert (back.connection > 1, back.session_present) == (True, False)
            witness.wait_topic("edged/test/reply/while-away")
            witness.publish("edged/test/request", "again")
            witness.wait_topic("edged/test/reply/again")
            assert exactly_one_reply(witness.history(), ["while-away", "again"]) == []
            assert not witness.on("edged/test/stream/x")
        assert rider.session.dropped == (0, 1)


def test_a_kept_session_brings_the_requests_of_the_meantime() -> None:
    with Broker() as broker, Proxy(broker.port) as proxy, Rider(proxy.port) as rider:
        rider.wait_up()
        proxy.reset()
        with TestClient(broker.port) as client:
            client.publish("edged/test/request", "meanwhile")
        assert rider.wait_up(count=2).session_present
        assert rider.wait(Incoming).payload == b"meanwhile"


def test_what_we_did_not_acknowledge_comes_again_with_dup() -> None:
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        Rider(proxy.port) as rider,
        TestClient(broker.port) as client,
    ):
        rider.wait_up()
        client.publish("edged/test/request", "mine")
        first = rider.wait(Incoming)
        assert not first.dup
        proxy.reset()
        second = rider.wait(Incoming, count=2)
        assert (second.dup, second.payload) == (True, b"mine")
        assert second.connection > first.connection
        rider.acknowledge(first)  # void: the connection is over
        rider.acknowledge(second)
        rider.wait_up(count=2)
        client.publish("edged/test/request", "next")
        rider.wait(Incoming, lambda m: m.payload == b"next")
        proxy.reset()
        rider.wait_up(count=3)
        rider.wait(Incoming, lambda m: m.payload == b"next", count=2)
        assert [m.payload for m in rider.of(Incoming)].count(b"mine") == 2


def test_back_pressure_by_receive_maximum() -> None:
    with (
        Broker() as broker,
        Rider(broker.port, receive_maximum=3) as rider,
        TestClient(broker.port) as client,
    ):
        rider.wait_up()
        for number in range(10):
            client.publish("edged/test/request", str(number))
        rider.wait(Incoming, count=3)
        time.sleep(0.2)
        assert len(rider.of(Incoming)) == 3
        for number in range(10):
            rider.acknowledge(rider.wait(Incoming, count=number + 1))
        assert [m.payload for m in rider.of(Incoming)] == [b"%d" % n for n in range(10)]


def test_lost_puback_of_a_reply_gives_one_copy() -> None:
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        Witness(broker.port) as witness,
        Rider(proxy.port) as rider,
    ):
        rider.wait_up()
        proxy.cut_after(0, "down")
        rider.reply("once")
        rider.wait_up(count=2)
        assert rider.wait(Taken) == Taken(tag="once")
        rider.reply("next")
        witness.wait_topic("edged/test/reply/next")
        assert exactly_one_reply(witness.history(), ["once", "next"]) == []
        assert proxy.cuts == 1


def test_reply_that_the_broker_never_saw_is_sent_again() -> None:
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        Witness(broker.port) as witness,
        Rider(proxy.port) as rider,
    ):
        rider.wait_up()
        rider.reply("before")
        rider.wait(Taken, lambda t: t.tag == "before")
        proxy.cut_after(0, "up")
        rider.reply("lost")
        rider.wait(Taken, lambda t: t.tag == "lost")
        assert exactly_one_reply(witness.history(), ["before", "lost"]) == []


def test_restored_reply_that_an_earlier_process_delivered_is_not_sent_again() -> None:
    with Broker() as broker, Proxy(broker.port) as proxy, Witness(broker.port) as witness:
        with Rider(proxy.port) as first:
            first.wait_up()
            proxy.blackhole("down")
            first.reply("once")
            witness.wait_topic("edged/test/receipt")
            proxy.reset()
            first.close(0.1)
            assert first.of(Taken) == []
        proxy.heal()
        second = Rider(proxy.port)
        second.reply("once")
        second.reply("new")
        with second:
            second.wait(Taken, count=2)
            assert second.session.unconfirmed == 0
        witness.wait_topic("edged/test/reply/new")
        assert exactly_one_reply(witness.history(), ["once", "new"]) == []


def test_replies_keep_their_order_beyond_the_window() -> None:
    tags = [f"r{number}" for number in range(100)]
    with Broker() as broker, Witness(broker.port) as witness, Rider(broker.port) as rider:
        for tag in tags:
            rider.reply(tag)
        rider.wait(Taken, count=len(tags))
        witness.wait_topic("edged/test/reply/r99")
        topics = [r.topic for r in witness.history() if "/reply/" in r.topic]
        assert topics == [f"edged/test/reply/{tag}" for tag in tags]


def test_retained_state_waits_as_its_newest_only() -> None:
    with Broker() as broker, Rider(broker.port) as rider:
        for value in (b"1", b"2", b"3"):
            out = Outgoing(topic="edged/test/info", payload=value, qos=1, retain=True)
            rider.publish(out)
        with Witness(broker.port) as witness:
            rider.wait_up()
            witness.wait_topic("edged/test/info")
            rider.reply("barrier")
            witness.wait_topic("edged/test/reply/barrier")
            assert [r.payload for r in witness.on("edged/test/info")] in ([b"3"], [b"1", b"3"])


def _break(broker: Broker, proxy: Proxy, how: str) -> None:
    directions: dict[str, tuple[Direction, ...]] = {
        "up": ("up",),
        "down": ("down",),
        "both": ("up", "down"),
    }
    if how == "freeze":
        broker.freeze()
    else:
        proxy.blackhole(*directions[how])


@pytest.mark.parametrize("how", ["freeze", "up", "down", "both"])
def test_silence_is_noticed_within_one_and_a_half_keepalives(how: str) -> None:
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        Rider(proxy.port, keepalive_s=KEEPALIVE_S, connect_timeout_s=1.0) as rider,
    ):
        rider.wait_up()
        began = time.monotonic()
        _break(broker, proxy, how)
        lost = rider.wait(Disconnected)
        assert lost.code == "keepalive"
        assert time.monotonic() - began <= DETECTION_S + 0.5
        rider.wait(Disconnected, lambda d: d.code == "no_answer")
        if how == "freeze":
            broker.thaw()
        proxy.heal()
        rider.wait_up(count=2)


def test_partition_is_true_on_availability_and_heals_without_doubles() -> None:
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        Witness(broker.port) as witness,
        Rider(proxy.port, keepalive_s=KEEPALIVE_S, answer=True) as rider,
    ):
        witness.wait(lambda r: r.payload == b"online")
        proxy.blackhole()
        died = time.monotonic()
        rider.reply("during")
        witness.wait(lambda r: r.payload == b"offline")
        rider.wait(Disconnected)
        proxy.heal()
        rider.wait_up(count=2)
        rider.wait(Taken)
        witness.wait(lambda r: r.payload == b"online", count=2)
        history = witness.history()
        assert exactly_one_reply(history, ["during"]) == []
        limit = KEEPALIVE_S + BROKER_CHECK_S / 1.5
        assert true_availability(history, "test", keepalive_s=limit, died_at=[died]) == []


def test_slow_network_is_only_slow() -> None:
    with Broker() as broker, Proxy(broker.port) as proxy:
        proxy.delay(0.3)
        with Rider(proxy.port, answer=True) as rider, TestClient(broker.port) as client:
            client.subscribe("edged/test/reply/+")
            rider.wait_up()
            client.publish("edged/test/request", "x")
            client.wait_topic("edged/test/reply/x")
            assert rider.of(Disconnected) == []


def test_many_broken_connections_leak_nothing() -> None:
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        Rider(proxy.port, reconnect_max_s=0.01) as rider,
    ):
        rider.wait_up()
        process = psutil.Process()
        before = (process.num_fds(), threading.active_count())
        for number in range(20):
            proxy.reset()
            rider.wait_up(count=number + 2)
        until(lambda: process.num_fds() <= before[0])
        assert threading.active_count() <= before[1]


def test_flood_with_qos_0_is_dropped_and_counted() -> None:
    go_on = threading.Event()
    with Broker() as broker, Rider(broker.port) as rider, TestClient(broker.port) as client:
        rider.wait_up()
        rider.stall(go_on)
        for _ in range(MAX_UNDELIVERED * 4):
            client.publish("edged/test/request", "x" * 100, qos=0)
        until(lambda: rider.session.dropped[0] > 0)
        go_on.set()
        client.publish("edged/test/cancel", "last")
        rider.wait(Incoming, lambda m: m.payload == b"last")
        assert len(rider.of(Incoming)) + rider.session.dropped[0] == MAX_UNDELIVERED * 4 + 1


def test_stalled_loop_holds_qos_1_back_without_loss() -> None:
    go_on = threading.Event()
    count = MAX_UNDELIVERED * 2
    options = BrokerOptions(extra=("max_inflight_messages 0",))
    with (
        Broker(options) as broker,
        Rider(broker.port, protocol=311, answer=True) as rider,
        TestClient(broker.port) as client,
    ):
        rider.wait_up()
        rider.stall(go_on)
        for number in range(count):
            client.publish("edged/test/request", str(number), wait=False)
        time.sleep(0.3)
        go_on.set()
        rider.wait(Taken, count=count)
        assert len(rider.of(Incoming)) == count


def test_reply_above_the_brokers_limit_is_refused_and_not_tried_for_ever() -> None:
    options = BrokerOptions(extra=("max_packet_size 2000",))
    with Broker(options) as broker, Rider(broker.port) as rider:
        rider.reply("big", b"x" * 3000)
        rider.reply("small")
        taken = rider.wait(Taken, lambda t: t.tag == "big")
        assert taken.refused is not None
        assert rider.wait(Refused).topic == "edged/test/reply/big"
        assert rider.wait(Taken, lambda t: t.tag == "small").refused is None


@pytest.mark.parametrize("protocol", [5, 311])
def test_close_before_a_frozen_broker_is_bounded_and_the_will_speaks(protocol: int) -> None:
    with Broker() as broker, Witness(broker.port) as witness:
        with Rider(broker.port, protocol=protocol) as rider:
            rider.wait_up()
            broker.freeze()
            began = time.monotonic()
            rider.close(0.5)
            assert time.monotonic() - began < 2.0
            broker.thaw()
        witness.wait(lambda r: r.payload == b"offline")


def test_close_while_nothing_listens_is_prompt() -> None:
    with Broker() as broker:
        port = broker.port
    with Rider(port) as rider:
        lost = rider.wait(Disconnected)
        assert (lost.code, str(port) in lost.reason) == ("connection_refused", True)
        time.sleep(1.0)
        assert len(rider.of(Disconnected)) == 1
        began = time.monotonic()
        rider.close(5.0)
        assert time.monotonic() - began < 0.5
