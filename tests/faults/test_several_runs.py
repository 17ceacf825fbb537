"""Several answers under way: a death costs one request at most, and who is in a hurry is first."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import (
    NODE,
    STATE,
    engine,
    eventually,
    last_state,
    reply_of,
    served,
    streaming,
    told,
    verdict,
)
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess, merge
from tests.rig.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.fault]

STREAMS = 3
CONFIG: Mapping[str, Any] = {"engine": {"threads": 1, "streams": STREAMS}}
NAMES = ("first", "second", "third")
SLOW: Mapping[str, Any] = {"ms_per_token": 10, "tokens": 40}


def subscribed(client: TestClient) -> None:
    client.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+", STATE)


def under_way(client: TestClient, **fields: Any) -> None:
    """As many as there are streams, each with some text."""
    for name in NAMES:
        client.send(NODE, f"hello {name}", id=name, **fields)
    for name in NAMES:
        streaming(client, name, 3)


def test_a_prompt_that_kills_costs_itself_alone() -> None:
    fault = {"at": "decode", "do": "signal", "value": "SIGSEGV", "token": 6, "match": "second"}
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script={**SLOW, "faults": [fault]}, config=CONFIG) as daemon,
        TestClient(broker.port) as client,
    ):
        subscribed(client)
        eventually(lambda: last_state(client).get("streams") == STREAMS, "it is up")
        under_way(client)
        replies = {name: reply_of(client, name) for name in NAMES}
        status = {name: reply["status"] for name, reply in replies.items()}
        assert status == {"first": "ok", "second": "failed", "third": "ok"}
        assert replies["second"]["error"]["code"] == "engine_died"
        served(client)
        # Once with all in hand, once with the one alone.
        assert len(told(daemon, "engine died")) == 2
        history = witness.history()
        assert verdict(daemon, history, asked=NAMES, running=STREAMS, gaps=True) == []


def test_a_death_that_none_of_them_caused_costs_none(endless: Path) -> None:
    config = merge(CONFIG, {"model": {"path": str(endless)}})
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, config=config) as daemon,
        TestClient(broker.port) as client,
    ):
        subscribed(client)
        eventually(lambda: last_state(client).get("streams") == STREAMS, "it is up")
        under_way(client, max_tokens=600)
        os.kill(engine(daemon).pid, signal.SIGSEGV)
        for name in NAMES:
            assert reply_of(client, name)["status"] == "ok"
        assert len(told(daemon, "engine died", "SIGSEGV")) == 1
        served(client)
        history = witness.history()
        assert verdict(daemon, history, asked=NAMES, running=STREAMS, gaps=True) == []


def test_after_a_kill_of_the_daemon_each_is_answered() -> None:
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script=SLOW, config=CONFIG) as daemon,
        TestClient(broker.port) as client,
    ):
        subscribed(client)
        under_way(client)
        daemon.kill()
        daemon.start()
        for name in NAMES:
            assert reply_of(client, name)["status"] == "ok"
        served(client)
        history = witness.history()
        assert verdict(daemon, history, asked=NAMES, running=STREAMS, gaps=True) == []


def test_an_urgent_prompt_is_served_before_those_under_way(endless: Path) -> None:
    config = merge(CONFIG, {"model": {"path": str(endless)}})
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, config=config) as daemon,
        TestClient(broker.port) as client,
    ):
        subscribed(client)
        eventually(lambda: last_state(client).get("streams") == STREAMS, "it is up")
        under_way(client, max_tokens=400)
        client.send(NODE, "hello", id="waits", max_tokens=4)
        client.send(NODE, "hello", id="urgent", max_tokens=4, priority="urgent")
        asked = (*NAMES, "waits", "urgent")
        for name in asked:
            assert reply_of(client, name)["status"] == "ok"
        replies = [r.topic.rpartition("/")[2] for r in client.records if "/reply/" in r.topic]
        assert replies[0] == "urgent"
        history = witness.history()
        assert verdict(daemon, history, asked=asked, running=STREAMS + 1) == []
