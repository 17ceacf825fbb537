"""F07: `kill -9` of the daemon with an answer under way, fake and real engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.faults.kit import (
    CHILD_GONE_S,
    NODE,
    REAL,
    engine,
    reply_of,
    served,
    streaming,
    verdict,
)
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import Witness, recovered, true_availability

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.fault]

FAKE: Mapping[str, Any] = {"ms_per_token": 20, "tokens": 60}
KEEPALIVE_S = 5
LONG: Mapping[str, Any] = {"max_tokens": 600}


@pytest.mark.parametrize("script", [FAKE, None], ids=["fake", "real"])
def test_killed_while_it_answers(script: Mapping[str, Any] | None, endless: Path) -> None:
    real = {**REAL, "model": {"path": str(endless)}} if script is None else {}
    config = {"mqtt": {"keepalive_s": KEEPALIVE_S}, **real}
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script=script, config=config) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+")
        client.send(NODE, "hello", id="once", **LONG)
        client.send(NODE, "hello", id="behind")
        streaming(client, "once", 3)
        died = [_kill(daemon)]
        daemon.start()
        back = [time.monotonic()]
        assert reply_of(client, "once")["status"] == "ok"
        assert reply_of(client, "behind")["status"] == "ok"

        # Twice in its hands when we die: it may be why, so there is no third time.
        before = len(client.on(f"edged/{NODE}/stream/twice"))
        for _ in range(2):
            if not before:
                client.send(NODE, "hello", id="twice", **LONG)
            streaming(client, "twice", before + 3)
            died.append(_kill(daemon))
            before = len(client.on(f"edged/{NODE}/stream/twice"))
            daemon.start()
            back.append(time.monotonic())
        reply = reply_of(client, "twice")
        assert (reply["status"], reply["error"]["code"]) == ("failed", "engine_died")
        served(client)

        history = witness.history()
        assert verdict(daemon, history, asked=["once", "behind", "twice"], gaps=True) == []
        assert true_availability(history, NODE, keepalive_s=KEEPALIVE_S, died_at=died) == []
        assert recovered(history, NODE, alive_at=[at - 5 for at in back], within_s=10) == []


def _kill(daemon: DaemonProcess) -> float:
    child = engine(daemon)
    died = time.monotonic()
    daemon.kill()
    _, left = psutil.wait_procs([child], timeout=CHILD_GONE_S)
    # One that ended may wait for init, its parent now, to take note of it.
    alive = [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not alive, f"the child lives on: {alive}"
    return died
