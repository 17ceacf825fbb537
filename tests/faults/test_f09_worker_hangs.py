"""F09: the worker stands still without dying: killed in time; cancel and stop still work."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import (
    NODE,
    engine,
    eventually,
    reply_of,
    served,
    streaming,
    told,
    verdict,
)
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.fault]

STALL_S = 1
CONFIG: Mapping[str, Any] = {"engine": {"stall_timeout_s": STALL_S, "threads": 1, "streams": 1}}
LONG: Mapping[str, Any] = {"max_tokens": 600}
STOP_S = 6.0  # Quit gets 2 s, the broker 3 s


def test_a_real_worker_that_is_stopped(endless: Path) -> None:
    config = {**CONFIG, "model": {"path": str(endless)}}
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, config=config) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+")
        client.send(NODE, "hello", id="hand", **LONG)
        client.send(NODE, "hello", id="behind")
        streaming(client, "hand", 5)
        os.kill(engine(daemon).pid, signal.SIGSTOP)
        reply = reply_of(client, "hand")
        assert (reply["status"], reply["error"]["code"]) == ("failed", "engine_died")
        assert "stalled" in reply["error"]["message"]
        assert reply["text"]
        assert reply_of(client, "behind")["status"] == "ok"
        assert len(told(daemon, "engine died", "stalled")) == 1

        # Cancelled while nobody works on it.
        client.send(NODE, "hello", id="cancelled", **LONG)
        streaming(client, "cancelled", 5)
        os.kill(engine(daemon).pid, signal.SIGSTOP)
        client.publish(f"edged/{NODE}/cancel", "cancelled")
        assert reply_of(client, "cancelled")["status"] == "cancelled"
        served(client)

        # Told to stop while it stands still.
        os.kill(engine(daemon).pid, signal.SIGSTOP)
        began = time.monotonic()
        assert daemon.terminate() == 0
        assert time.monotonic() - began < STOP_S
        history = witness.history()
        assert verdict(daemon, history, asked=["hand", "behind", "cancelled"]) == []


@pytest.mark.parametrize(
    ("phase", "status"), [("load", "ok"), ("prefill", "failed"), ("decode", "failed")]
)
def test_a_worker_that_hangs(phase: str, status: str) -> None:
    # While it loads it holds no request: whoever waits is served by the next one.
    script = {"load_ms": 50, "faults": [{"at": phase, "do": "hang", "times": 1}]}
    with Broker() as broker, Witness(broker.port) as witness, TestClient(broker.port) as client:
        client.subscribe(f"edged/{NODE}/reply/+")
        with DaemonProcess(broker.port, script=script, config=CONFIG) as daemon:
            client.send(NODE, "hello", id="hand")
            reply = reply_of(client, "hand")
            assert reply["status"] == status
            served(client)
            eventually(lambda: told(daemon, "engine died", "stalled"), "the cause is told")
            assert verdict(daemon, witness.history(), asked=["hand"]) == []
