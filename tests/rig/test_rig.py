"""The rig must break things the way it says, or the fault tests prove nothing."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING

import pytest

from tests.rig.broker import Broker, BrokerOptions, BrokerTls, listening
from tests.rig.certs import Authority
from tests.rig.client import Record, TestClient
from tests.rig.proxy import Proxy
from tests.rig.witness import (
    Witness,
    bounded_queue,
    contiguous_streams,
    exactly_one_reply,
    only_allowed_topics,
    recovered,
    true_availability,
)

if TYPE_CHECKING:
    from pathlib import Path


def record(topic: str, payload: str, at: float = 0.0) -> Record:
    return Record(at=at, topic=topic, payload=payload.encode(), qos=1, retain=False)


@pytest.mark.process
def test_witness_sees_what_a_client_publishes_through_the_proxy() -> None:
    with Broker() as broker, Proxy(broker.port) as proxy, Witness(broker.port) as witness:
        with TestClient(proxy.port) as client:
            client.publish("a/b", "x", retain=True, CorrelationData=b"\0c", ContentType="t")
            seen = witness.wait_topic("a/b")
        assert (seen.payload, seen.qos, seen.retain) == (b"x", 1, True)
        assert (seen.correlation, seen.content_type) == (b"\0c", "t")


@pytest.mark.process
def test_broker_forgets_on_kill_and_remembers_on_stop() -> None:
    with Broker(BrokerOptions(persistence=True)) as broker:
        for end, kept in ((broker.kill, False), (broker.stop, True)):
            with TestClient(broker.port) as client:
                client.publish("kept", "x", retain=True)
            end()
            assert not listening(broker.port)
            broker.start()
            with TestClient(broker.port) as client:
                client.subscribe("kept")
                client.publish("barrier")
                client.subscribe("barrier")
                time.sleep(0.05)
                assert bool(client.on("kept")) is kept


@pytest.mark.process
def test_frozen_broker_accepts_tcp_and_stays_silent() -> None:
    with Broker() as broker, Witness(broker.port) as witness, TestClient(broker.port) as client:
        broker.freeze()
        assert listening(broker.port)
        client.publish("late", wait=False)
        with pytest.raises(TimeoutError):
            witness.wait_topic("late", 0.2)
        broker.thaw()
        witness.wait_topic("late")


@pytest.mark.process
def test_users_and_acl() -> None:
    options = BrokerOptions(users={"me": "secret"}, acl=("user me", "topic readwrite ok/#"))
    with (
        Broker(options) as broker,
        TestClient(broker.port, username="me", password="secret") as client,  # noqa: S106
    ):
        client.subscribe("#")
        client.publish("no/1")
        client.publish("ok/1")
        client.wait_topic("ok/1")
        assert not client.on("no/1")


@pytest.mark.process
def test_tls_listener_shows_its_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = BrokerTls(ca_file=authority.ca_file, pair=authority.issue("broker"))
    with Broker(BrokerOptions(tls=tls)) as broker:
        assert listening(broker.port)


@pytest.mark.process
def test_proxy_holds_and_heals() -> None:
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        Witness(broker.port) as witness,
        TestClient(proxy.port) as client,
    ):
        proxy.blackhole("up")
        client.publish("held", wait=False)
        with pytest.raises(TimeoutError):
            witness.wait_topic("held", 0.2)
        proxy.heal()
        witness.wait_topic("held")


@pytest.mark.parametrize("reset", [True, False])
def test_proxy_forgets_what_it_holds_of_who_reset_the_line(*, reset: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        with Proxy(server.getsockname()[1]) as proxy:
            line = socket.create_connection(("127.0.0.1", proxy.port))
            theirs, _ = server.accept()
            with theirs:
                proxy.blackhole()
                line.sendall(b"held")
                time.sleep(0.1)  # the proxy has read it
                linger = struct.pack("ii", int(reset), 0)
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                line.close()
                time.sleep(0.1)
                proxy.heal()
                theirs.settimeout(5)
                assert theirs.recv(10) == (b"" if reset else b"held")


@pytest.mark.process
def test_proxy_cut_loses_the_answer_only() -> None:
    with Broker() as broker, Proxy(broker.port) as proxy, Witness(broker.port) as witness:
        with TestClient(proxy.port) as client:
            proxy.cut_after(0, "down")
            client.publish("taken", wait=False)
            witness.wait_topic("taken")
            deadline = time.monotonic() + 5
            while proxy.cuts == 0 and time.monotonic() < deadline:
                time.sleep(0.01)
        assert proxy.cuts == 1


@pytest.mark.process
def test_proxy_reset_ends_with_rst() -> None:
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as line,
    ):
        while proxy.accepted == 0:
            time.sleep(0.01)
        time.sleep(0.05)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            line.recv(1)


def test_o1_counts_replies() -> None:
    one = record("edged/n/reply/a", '{"id":"a","status":"ok"}')
    assert exactly_one_reply([one], ["a"], ["a"]) == []
    assert exactly_one_reply([one, one], ["a"]) == ["a: 2 replies"]
    assert exactly_one_reply([], ["a"]) == ["a: no reply"]
    assert exactly_one_reply([one], [], []) == ["a: a reply nobody asked for"]
    assert exactly_one_reply([record("edged/n/reply/a", "{")], ["a"]) == ["a: no reply"]


def test_o2_finds_gaps_and_wrong_text() -> None:
    first = record("edged/n/stream/a", '{"seq":0,"delta":"x"}')
    last = record("edged/n/stream/a", '{"seq":1,"delta":"y","done":true}')
    reply = record("edged/n/reply/a", '{"id":"a","status":"ok","text":"xy"}')
    other = record("edged/n/reply/a", '{"id":"a","status":"ok","text":"xz"}')
    assert contiguous_streams([first, last, reply], "n") == []
    assert len(contiguous_streams([first, last, other], "n")) == 1
    assert len(contiguous_streams([first, first], "n")) == 1


def test_o3_knows_the_tree() -> None:
    good = [record(f"edged/n/{t}", "") for t in ("reply/a", "state", "request", "receipt")]
    good.append(record("homeassistant/device/edged_n/config", ""))
    assert only_allowed_topics(good, "n") == []
    for topic in ("edged/m/state", "edged/n/x", "homeassistant/sensor/x/config"):
        assert len(only_allowed_topics([record(topic, "")], "n")) == 1
        assert only_allowed_topics([record(topic, "")], "n", strangers=[topic]) == []
    assert only_allowed_topics([record("home/a", "")], "n", reply_prefixes=["home/"]) == []


def test_o4_wants_the_truth_in_time() -> None:
    topic = "edged/n/availability"
    up, down = record(topic, "online", 0.0), record(topic, "offline", 10.0)
    again = record(topic, "online", 12.0)
    history = [up, down, again]
    assert true_availability(history, "n", keepalive_s=4, died_at=[5.0]) == []
    assert len(true_availability(history, "n", keepalive_s=2, died_at=[5.0])) == 1
    assert len(true_availability(history * 3, "n", keepalive_s=4, died_at=[5.0])) == 1
    assert recovered(history, "n", alive_at=[11.0], within_s=2) == []
    assert len(recovered(history, "n", alive_at=[11.0], within_s=0.5)) == 1


def test_o5_reads_every_state() -> None:
    state = record("edged/n/state", '{"waiting":3,"running":2}')
    assert bounded_queue([state], "n", capacity=3) == ["running is 2, the limit 1"]
    assert len(bounded_queue([state], "n", capacity=2)) == 2


@pytest.mark.process
def test_a_history_holds_all_that_the_broker_took_before() -> None:
    with Broker() as broker, Witness(broker.port) as witness, TestClient(broker.port) as client:
        for number in range(200):
            client.publish("a/b", str(number), qos=number % 2, wait=False)
        client.publish("last", wait=True)
        topics = [record.topic for record in witness.history()]
        assert topics == ["a/b"] * 200 + ["last"]
        broker.kill()
        assert len(witness.history()) == 201
