"""F06: what a broker or a restart kept too long: retained prompts, late prompts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import NODE, QUICK, REQUEST, reply_of, served, streaming, told, verdict
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import Witness, replies

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.process, pytest.mark.fault]

SLOW: Mapping[str, Any] = {"ms_per_token": 20, "tokens": 60}
EXPIRY_S = 1


def test_retained_prompts_and_commands_are_passed_over() -> None:
    pause = f"edged/{NODE}/command/pause"
    with Broker() as broker, Witness(broker.port) as witness, TestClient(broker.port) as client:
        client.publish(REQUEST, '{"prompt": "again and again", "id": "kept"}', retain=True)
        client.publish(pause, b"", retain=True)
        client.publish(pause, b"x", retain=True)
        client.publish(f"edged/{NODE}/cancel", b"kept", retain=True)
        with DaemonProcess(broker.port, script=QUICK) as daemon:
            served(client)
            daemon.kill()
            daemon.start()
            served(client)
            assert "kept" not in replies(witness.history())
            assert not witness.on(f"{pause}/result")
            assert told(daemon, "retained request ignored")
            assert "again and again" not in daemon.stderr()
            assert verdict(daemon, witness.history()) == []


def test_a_prompt_that_waited_too_long_is_told_so() -> None:
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script=SLOW) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+")
        # Behind another one, in a daemon that lives.
        client.send(NODE, "hello", id="first")
        streaming(client, "first")
        client.send(NODE, "hello", id="late", expires_in=0.3)
        reply = reply_of(client, "late")
        assert (reply["status"], reply["error"]["code"]) == ("expired", "expired")
        assert reply_of(client, "first")["status"] == "ok"

        # Accepted, and then we are away for longer than it may wait.
        client.send(NODE, "hello", id="second")
        streaming(client, "second")
        client.publish(
            REQUEST, '{"prompt": "hello", "id": "stale"}', MessageExpiryInterval=EXPIRY_S
        )
        client.wait_topic(f"edged/{NODE}/reply/first")
        witness.wait_topic(f"edged/{NODE}/progress/stale")
        daemon.kill()
        time.sleep(EXPIRY_S + 0.2)
        daemon.start()
        assert reply_of(client, "stale")["status"] == "expired"
        assert reply_of(client, "second")["status"] == "ok"

        # Sent while we are away: the broker itself drops it, MQTT says so.
        daemon.terminate()
        client.publish(REQUEST, '{"prompt": "x", "id": "gone"}', MessageExpiryInterval=EXPIRY_S)
        client.publish(REQUEST, '{"prompt": "x", "id": "good"}', MessageExpiryInterval=3600)
        time.sleep(EXPIRY_S + 1.5)  # mosquitto counts whole seconds
        daemon.start()
        assert reply_of(client, "good")["status"] == "ok"
        served(client)
        history = witness.history()
        assert "gone" not in replies(history)
        asked = ["first", "late", "second", "stale", "good"]
        assert verdict(daemon, history, asked=asked, gaps=True) == []
