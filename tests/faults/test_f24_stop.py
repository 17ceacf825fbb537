"""F24: SIGTERM at any moment: `offline` before we leave, exit 0, and nothing accepted is lost."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import (
    AVAILABILITY,
    NODE,
    QUICK,
    eventually,
    reply_of,
    served,
    streaming,
    unharmed,
    verdict,
)
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import Witness, availability

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.process, pytest.mark.fault]

# 2 s of decode
SLOW: Mapping[str, Any] = {"ms_per_token": 20, "tokens": 100}
STOP_S = 15.0
NOT_YET = -signal.SIGTERM  # before Python has our handler; a service manager calls that clean


def test_at_each_moment_of_the_start() -> None:
    with Broker() as broker:
        daemon = DaemonProcess(broker.port, script={"load_ms": 300})
        daemon.patient = False
        with daemon:
            ends = []
            for delay in (0.0, 0.1, 0.2, 0.25, 0.3, 0.4, 0.6, 0.8):
                time.sleep(delay)
                ends.append(daemon.terminate(STOP_S))
                daemon.start()
            daemon.wait_online()
            ends.append(daemon.terminate(STOP_S))
            assert set(ends) <= {0, NOT_YET}
            assert ends[-1] == 0
            assert unharmed(daemon) == []


@pytest.mark.parametrize("phase", ["load", "prefill", "decode", "idle"])
def test_told_to_stop(phase: str) -> None:
    script = {**SLOW, "load_ms": 3000} if phase == "load" else {**SLOW, "prefill_ms": 1000}
    with Broker() as broker, Witness(broker.port) as witness, TestClient(broker.port) as client:
        client.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+")
        with DaemonProcess(broker.port, script=script) as daemon:
            if phase != "load":
                eventually(lambda: "engine ready" in daemon.stderr(), "it is up")
            if phase != "idle":
                client.send(NODE, "hello", id="hand")
                client.send(NODE, "hello", id="behind")
                witness.wait_topic(f"edged/{NODE}/progress/behind")
            if phase == "decode":
                streaming(client, "hand", 3)
            assert daemon.terminate() == 0
            # Said by us and not by the will: the broker saw a proper goodbye.
            assert availability(witness.history(), NODE)[-1][1] == "offline"
            assert f"edged-{NODE} disconnected." in broker.log()
            if phase in {"prefill", "decode"}:
                assert reply_of(client, "hand", 1)["status"] == "ok", "it may finish"
            assert not client.on(f"edged/{NODE}/reply/behind")

            daemon.write_script(QUICK)
            daemon.start()
            asked = ["hand", "behind"] if phase != "idle" else []
            for request_id in asked:
                assert reply_of(client, request_id)["status"] == "ok"
            served(client)
            assert verdict(daemon, witness.history(), asked=asked) == []


def test_new_prompts_are_refused_while_it_finishes_and_the_second_signal_cuts() -> None:
    script = {"ms_per_token": 20, "tokens": 250}
    with Broker() as broker, Witness(broker.port) as witness, TestClient(broker.port) as client:
        client.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+")
        with DaemonProcess(broker.port, script=script) as daemon:
            client.send(NODE, "hello", id="hand")
            streaming(client, "hand", 3)
            daemon.signal(signal.SIGTERM)
            eventually(lambda: "stopping" in daemon.stderr(), "it heard")
            client.send(NODE, "hello", id="new")
            refused = reply_of(client, "new")
            assert (refused["status"], refused["error"]["code"]) == ("rejected", "shutting_down")
            began = time.monotonic()
            assert daemon.terminate() == 0
            assert time.monotonic() - began < STOP_S
            assert not client.on(f"edged/{NODE}/reply/hand"), "cut, and kept for the next start"

            daemon.write_script(QUICK)
            daemon.start()
            assert reply_of(client, "hand")["status"] == "ok"
            served(client)
            history = witness.history()
            assert verdict(daemon, history, asked=["hand", "new"], gaps=True) == []


def test_while_the_broker_is_away() -> None:
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, script=SLOW) as daemon,
    ):
        client.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+")
        client.send(NODE, "hello", id="hand")
        streaming(client, "hand", 3)
        broker.kill()
        assert daemon.terminate(STOP_S) == 0
        broker.start()
        eventually(lambda: client.connected, "the client is back")
        client.subscribe(AVAILABILITY)
        daemon.start()
        # Answered while there was nobody to tell: told now.
        assert reply_of(client, "hand")["status"] == "ok"
        served(client)
        assert unharmed(daemon) == []
