"""The session against a real broker on a good day."""

from __future__ import annotations

import time

import pytest

from edged.mqtt.link import Link
from edged.mqtt.packet import Connected, Disconnected, Incoming, Outgoing, Taken
from tests.mqtt.rider import Rider
from tests.rig.broker import Broker
from tests.rig.proxy import Proxy
from tests.rig.witness import Witness

TIMEOUT_S = 60.0  # a bound, not a wait: a busy machine takes seconds to fill a socket's buffers

pytestmark = pytest.mark.process


def test_comes_up_announced_and_leaves_with_goodbye() -> None:
    with Broker() as broker, Witness(broker.port) as witness:
        with Rider(broker.port) as rider:
            assert rider.wait_up() == Connected(connection=1, session_present=False)
            connected = [rider.session.connected]
            witness.wait(lambda r: r.payload == b"online" and r.retain)
            began = time.monotonic()
            rider.close(2.0)
            assert time.monotonic() - began < 1.0
        connected.append(rider.session.connected)
        assert connected == [True, False]
        witness.wait(lambda r: r.payload == b"offline" and r.retain)
        assert len(witness.on("edged/test/availability")) == 2


def test_answers_a_request() -> None:
    with Broker() as broker, Witness(broker.port) as witness, Rider(broker.port) as rider:
        rider.wait_up()
        witness.publish(
            "edged/test/request/cook",
            "what",
            ResponseTopic="edged/test/reply/x",
            CorrelationData=b"\0\xff",
            MessageExpiryInterval=30,
            ContentType="text/plain",
            UserProperty=[("client", "me"), ("client", "you")],
        )
        message = rider.wait(Incoming)
        assert message == Incoming(
            topic="edged/test/request/cook",
            payload=b"what",
            qos=1,
            retain=False,
            dup=False,
            mid=message.mid,
            connection=1,
            response_topic="edged/test/reply/x",
            correlation=b"\0\xff",
            expiry_s=message.expiry_s,
            content_type="text/plain",
            user=(("client", "me"), ("client", "you")),
        )
        reply = Outgoing(
            topic="edged/test/reply/x",
            payload=b"that",
            qos=1,
            correlation=message.correlation,
            content_type="application/json",
            expiry_s=60,
            tag="x",
        )
        rider.publish(reply)
        rider.acknowledge(message)
        assert rider.wait(Taken) == Taken(tag="x")
        seen = witness.wait_topic("edged/test/reply/x")
        assert (seen.payload, seen.qos, seen.retain) == (b"that", 1, False)
        assert (seen.correlation, seen.content_type) == (b"\0\xff", "application/json")
        witness.wait_topic("edged/test/receipt")
        assert rider.session.unconfirmed == 0


def test_deltas_flow_while_up_and_are_dropped_when_the_network_takes_none() -> None:
    delta = Outgoing(topic="edged/test/stream/x", payload=b"x" * 1000)
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        Witness(broker.port) as witness,
        Rider(proxy.port) as rider,
    ):
        rider.wait_up()
        rider.publish(delta)
        witness.wait_topic("edged/test/stream/x")
        proxy.blackhole("up")
        deadline = time.monotonic() + TIMEOUT_S
        while rider.session.dropped[1] == 0 and time.monotonic() < deadline:
            rider.publish(delta)
        assert rider.session.dropped[1] > 0


def test_close_while_the_broker_has_not_answered_is_prompt() -> None:
    with Broker() as broker:
        broker.freeze()
        with Rider(broker.port) as rider:
            time.sleep(0.2)
            began = time.monotonic()
            rider.close(5.0)
            assert time.monotonic() - began < 1.0


def test_a_bug_in_the_network_thread_is_logged_and_survived(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise LookupError

    with Broker() as broker, monkeypatch.context() as patch:
        patch.setattr(Link, "drive", broken)
        with Rider(broker.port) as rider:
            lost = rider.wait(Disconnected)
            assert (lost.code, lost.retry_in_s >= 30.0) == ("internal", True)
    assert "LookupError" in caplog.text
