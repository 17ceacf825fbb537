"""F05: the same prompt twice: run once, answered once for each time it was asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import (
    NODE,
    QUICK,
    REPLIES,
    STATE,
    eventually,
    last_state,
    reply_of,
    served,
    verdict,
)
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.proxy import Proxy
from tests.rig.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.process, pytest.mark.fault]

CONFIG: Mapping[str, Any] = {
    "mqtt": {"reconnect_max_s": 1},
    "telemetry": {"state_interval_s": 0.1, "idle_interval_s": 1},
}
SECOND_REPLY_S = 0.3


def runs(witness: Witness) -> int:
    """Requests answered `ok` since the start, as the state has it."""
    done: int = last_state(witness).get("requests", {}).get("ok", 0)
    return done


def test_a_lost_acknowledgement_is_no_second_prompt() -> None:
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        Witness(broker.port) as witness,
        DaemonProcess(proxy.port, script=QUICK, config=CONFIG, watch_port=broker.port) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(f"{REPLIES}+")
        asked = []
        for size in (0, 1, 4, 8, 200):
            name = f"cut-{size}"
            proxy.cut_after(size, "up")
            client.send(NODE, "hello you", id=name)
            assert reply_of(client, name)["status"] == "ok"
            asked.append(name)
        proxy.heal()
        daemon.wait_online()
        served(client)
        eventually(lambda: runs(witness) == len(asked) + 1, "each ran once")
        time.sleep(SECOND_REPLY_S)
        assert proxy.cuts == len(asked)
        assert "d1, q1" in broker.log(), "mosquitto sent nothing again"
        assert verdict(daemon, witness.history(), asked=asked, gaps=True) == []


def test_one_id_from_one_client_and_from_two() -> None:
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script=QUICK, config=CONFIG) as daemon,
        TestClient(broker.port, client_id="one") as one,
        TestClient(broker.port, client_id="two") as two,
    ):
        one.subscribe(f"{REPLIES}+")
        for _ in range(3):
            one.send(NODE, "first words", id="same")
        first = reply_of(one, "same")
        time.sleep(SECOND_REPLY_S)
        early = len(one.on(f"{REPLIES}same"))
        assert 1 <= early <= 3

        # Asked again after the answer: the same bytes, nothing is run.
        one.send(NODE, "first words", id="same")
        again = one.wait(lambda r: r.topic == f"{REPLIES}same", count=early + 1)
        assert again.json() == first
        eventually(lambda: runs(witness) == 1, "ran once")

        # Another client may use the same id for something else.
        two.subscribe(f"{REPLIES}+")
        two.send(NODE, "other words", id="same")
        other = two.wait(lambda r: r.topic == f"{REPLIES}same")
        assert other.json()["text"].split() == ["other", "words"]
        eventually(lambda: runs(witness) == 2, "ran for the other one, too")
        assert verdict(daemon, [r for r in witness.history() if r.topic == STATE]) == []
