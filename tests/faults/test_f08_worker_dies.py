"""F08: the worker dies of any signal in any phase: the daemon and the next prompt do not care."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.faults.kit import (
    LONG_PROMPT,
    NODE,
    REAL,
    engine,
    eventually,
    last_state,
    problems,
    reply_of,
    served,
    status,
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

    from tests.rig.client import Record

pytestmark = [pytest.mark.process, pytest.mark.fault]

# Each phase and each signal once or twice; all pairs would only repeat the same code.
DEATHS = (
    ("load", "SIGILL"),
    ("prefill", "SIGSEGV"),
    ("decode", "SIGABRT"),
    ("decode", "SIGBUS"),
    ("idle", "SIGFPE"),
    ("idle", "SIGKILL"),
)
# Every life ends at once.
DOOMED: Mapping[str, Any] = {"faults": [{"at": "idle", "do": "signal", "value": "SIGSEGV"}]}
HEALTHY: Mapping[str, Any] = {"ms_per_token": 5}
GIVEN_UP_S = 30.0  # pauses of 1, 2, 4 and 8 s


@pytest.mark.parametrize(("phase", "name"), DEATHS)
def test_a_death_costs_at_most_the_request_in_hand(phase: str, name: str, endless: Path) -> None:
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        TestClient(broker.port) as client,
    ):
        client.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+")
        # The packaged model reads and answers before a signal can hit it.
        slow = phase in {"prefill", "decode"}
        model = {"model": {"path": str(endless)}} if slow else {}
        daemon = DaemonProcess(broker.port, config={**REAL, **model})
        daemon.patient = phase != "load"
        with daemon:
            _bring_to(phase, daemon, client, witness)
            os.kill(engine(daemon).pid, signal.Signals[name])
            if phase in {"prefill", "decode"}:
                _failed_alone(client, witness, name, phase)
            # What is sent before the daemon sees the death counts as in hand, too.
            eventually(lambda: told(daemon, "engine died", name), "the death is told")
            daemon.wait_online()
            served(client, timeout=30)
            asked = ["hand", "behind"] if phase in {"prefill", "decode"} else []
            assert verdict(daemon, witness.history(), asked=asked) == []
            assert len(told(daemon, "engine died")) == 1


def _bring_to(phase: str, daemon: DaemonProcess, client: TestClient, witness: Witness) -> None:
    if phase == "load":
        return
    eventually(lambda: "engine ready" in daemon.stderr(), "the model is loaded")
    if phase == "prefill":
        client.send(NODE, LONG_PROMPT, id="hand")
        client.send(NODE, "hello", id="behind")
        eventually(lambda: witness.on(f"edged/{NODE}/progress/hand"), "it reads")
    elif phase == "decode":
        client.send(NODE, "hello", id="hand", max_tokens=600)
        client.send(NODE, "hello", id="behind")
        streaming(client, "hand", 5)


def _failed_alone(client: TestClient, witness: Witness, name: str, phase: str) -> None:
    reply = reply_of(client, "hand")
    assert (reply["status"], reply["error"]["code"]) == ("failed", "engine_died"), reply
    assert name in reply["error"]["message"]
    topic = f"edged/{NODE}/stream/hand"
    witness.wait(lambda r: r.topic == topic and b'"done":true' in r.payload)
    deltas: list[Record] = witness.on(topic)
    assert reply["text"] == "".join(delta.json()["delta"] for delta in deltas)
    assert bool(reply["text"]) is (phase == "decode")
    assert reply_of(client, "behind", 30)["status"] == "ok"


def test_a_worker_that_always_dies_is_given_up_until_told_otherwise() -> None:
    config = {"telemetry": {"state_interval_s": 0.1, "idle_interval_s": 1}}
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script=DOOMED, config=config) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(f"edged/{NODE}/reply/+")
        eventually(lambda: status(witness) == "backoff", "it tries again")
        client.send(NODE, "hello", id="waits", stream=False)
        eventually(lambda: status(witness) == "failed", "it gives up", GIVEN_UP_S)
        assert problems(witness) == {"engine_fatal"}
        ended = reply_of(client, "waits")
        assert ended["error"]["code"] in {"unavailable", "engine_died"}, ended
        refused = client.ask(NODE, "hello")
        assert (refused["status"], refused["error"]["code"]) == ("rejected", "unavailable")
        assert not daemon.children()
        assert len(told(daemon, "engine died")) == 4
        assert len(told(daemon, "engine given up")) == 1

        daemon.write_script(HEALTHY)
        client.publish(f"edged/{NODE}/command/resume")
        eventually(lambda: status(witness) == "ready", "it is back")
        served(client)
        eventually(lambda: last_state(witness)["problems"] == [], "no problem any more")
        assert verdict(daemon, witness.history(), asked=["waits"]) == []


def test_the_child_ends_with_nothing_left_behind() -> None:
    with (
        Broker() as broker,
        DaemonProcess(broker.port, script=HEALTHY) as daemon,
        TestClient(broker.port) as client,
    ):
        served(client)
        fds = daemon.fds()
        for _ in range(2):
            child = engine(daemon)
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
            eventually(lambda pid=child.pid: _replaced(daemon, pid), "another child")  # type: ignore[misc]
            served(client)
        assert [c.status() for c in daemon.children()].count(psutil.STATUS_ZOMBIE) == 0
        assert daemon.fds() <= fds + 1


def _replaced(daemon: DaemonProcess, pid: int) -> bool:
    return pid not in [child.pid for child in daemon.children()]
