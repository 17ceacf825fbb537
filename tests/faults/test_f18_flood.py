"""F18: a flood, small: bounded, each refused one told, a quiet client served in between."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import (
    NODE,
    REPLIES,
    REQUEST,
    STATE,
    eventually,
    reply_of,
    served,
    verdict,
)
from tests.rig.broker import Broker, BrokerOptions
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import Witness, replies

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.process, pytest.mark.fault]

MESSAGES = 1000  # half of them QoS 0
CLIENTS = 20
CAPACITY = 16
SCRIPT: Mapping[str, Any] = {"ms_per_token": 10}
CONFIG: Mapping[str, Any] = {
    "serving": {"capacity": CAPACITY, "per_client": 4},
    "telemetry": {"state_interval_s": 0.1},
}
REFUSALS = {"busy", "too_many"}
GROWTH_BYTES = 32 * 2**20


def test_a_flood_is_refused_politely_and_the_quiet_one_is_served() -> None:
    # mosquitto's own limits are another fault.
    options = BrokerOptions(max_queued=10_000)
    with (
        Broker(options) as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script=SCRIPT, config=CONFIG) as daemon,
        TestClient(broker.port) as quiet,
        ExitStack() as stack,
    ):
        quiet.subscribe(f"{REPLIES}quiet", f"{REPLIES}cancelled")
        rss = daemon.rss()
        crowd = [stack.enter_context(TestClient(broker.port)) for _ in range(CLIENTS)]
        for number in range(MESSAGES):
            client = crowd[number % CLIENTS]
            body = f'{{"id": "f{number}", "prompt": "one two three", "stream": false}}'
            user = [("client", client.client_id)]
            client.publish(REQUEST, body, qos=number % 2, wait=False, UserProperty=user)
            if number == MESSAGES // 2:
                quiet.send(NODE, "hush", id="quiet", priority="urgent")
        assert reply_of(quiet, "quiet")["status"] in {"ok", "rejected"}
        sure = {f"f{number}" for number in range(1, MESSAGES, 2)}
        eventually(lambda: replies(witness.history()).keys() >= sure, "each QoS 1 one", 60)
        eventually(lambda: witness.on(STATE)[-1].json()["waiting"] == 0, "the rest is served")
        served(quiet)

        history = witness.history()
        assert verdict(daemon, history, asked=sure, capacity=CAPACITY) == []
        ends = [rows[0].json() for rows in replies(history).values()]
        refused = [end["error"] for end in ends if end["status"] == "rejected"]
        assert {error["code"] for error in refused} <= REFUSALS
        assert all(error["retry_after_s"] >= 1 for error in refused)
        assert {end["status"] for end in ends} == {"ok", "rejected"}
        assert daemon.rss() < rss + GROWTH_BYTES
