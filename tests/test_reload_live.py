"""SIGHUP to the real daemon while it answers: the answer goes on, and the new limits hold."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.faults.kit import NODE, eventually, reply_of, served
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess, merge

pytestmark = pytest.mark.process

SLOW: dict[str, Any] = {"ms_per_token": 20, "tokens": 100}  # 2 s of decode


def test_a_running_answer_goes_on_under_new_limits() -> None:
    with Broker() as broker, TestClient(broker.port) as client:
        client.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+", f"edged/{NODE}/info")
        with DaemonProcess(broker.port, script=SLOW) as daemon:
            client.publish(f"edged/{NODE}/request", b'{"id":"long","prompt":"go on"}', qos=1)
            eventually(lambda: client.on(f"edged/{NODE}/stream/long"), "a delta")
            limits = {"serving": {"max_tokens_limit": 300, "capacity": 7}, "node": "later"}
            daemon.write_config(merge(daemon.config, limits))
            daemon.signal(signal.SIGHUP)
            eventually(lambda: _limit(client) == (300, 7), "the new limits in info")
            assert not client.on(f"edged/{NODE}/reply/long"), "it should still run"
            assert reply_of(client, "long")["status"] == "ok"
            refused = client.ask(NODE, "more", max_tokens=301)
            assert refused["status"] == "rejected"
            told = daemon.stderr()
            assert "in use now: serving.capacity, serving.max_tokens_limit;" in told
            assert "from the next start on: node" in told


def test_a_file_with_mistakes_leaves_everything_as_it_is() -> None:
    with Broker() as broker, TestClient(broker.port) as client:
        client.subscribe(f"edged/{NODE}/reply/+")
        with DaemonProcess(broker.port, script={}) as daemon:
            daemon.config_file.write_text("serving: {capacity: none}\n")
            daemon.signal(signal.SIGHUP)
            eventually(lambda: "config rejected" in daemon.stderr(), "the journal says so")
            assert "serving.capacity" in daemon.stderr()
            served(client)


def test_words_of_an_older_version_are_told_at_the_start_and_when_read_again() -> None:
    with Broker() as broker, TestClient(broker.port) as client:
        client.subscribe(f"edged/{NODE}/reply/+")
        old = {"engine": {"repack": True}}
        with DaemonProcess(broker.port, script={}, config=old) as daemon:
            note = "engine.repack: is of an older version, and read as `engine.repack: on`"
            assert daemon.stderr().count(note) == 1
            daemon.signal(signal.SIGHUP)
            eventually(lambda: "config reloaded" in daemon.stderr(), "the journal says so")
            assert daemon.stderr().count(note) == 2
            served(client)


def _limit(client: TestClient) -> tuple[int, int] | None:
    infos = client.on(f"edged/{NODE}/info")
    if not infos:
        return None
    limits = infos[-1].json()["limits"]
    return limits["max_tokens"], limits["capacity"]
