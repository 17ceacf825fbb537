"""F16, F17: whatever ids, topics and properties say, we publish only where we may."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import NODE, REPLIES, REQUEST, eventually, served, told, verdict
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.process, pytest.mark.fault]

SCRIPT: Mapping[str, Any] = {"answer": "fine"}
COMMANDS = ("announce/x", "..", "\N{SNOWMAN}", "$SYS", "x" * 10_000, "pause/result")
HOSTILE = (
    "#",
    "+",
    "a/+/b",
    "$SYS/broker/x",
    "homeassistant/sensor/x/config",
    f"homeassistant/device/edged_{NODE}/config",
    REQUEST,
    f"{REQUEST}/x",
    f"edged/{NODE}/cancel",
    f"edged/{NODE}/command/pause",
    f"edged/{NODE}/state",
    f"edged/{NODE}/availability",
    f"edged/{NODE}/receipt",
    f"edged/{NODE}/stream/x",
    "edged/other/reply/x",
    "edged/any/request",
    f"{REPLIES}../request",
    f"{REPLIES}/x",
    f"{REPLIES}#",
    "..",
    "/",
    "\0",
    "x" * 60_000,
)
SEED = 20260311
PAYLOADS = 200
GROWTH_BYTES = 16 * 2**20


def test_nothing_goes_where_it_may_not() -> None:
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script=SCRIPT) as daemon,
        TestClient(broker.port) as client,
    ):
        strangers = []
        for topic in HOSTILE:
            for body in ({"reply_to": topic}, {"id": topic}):
                client.publish(REQUEST, json.dumps({"prompt": "x", **body}))
            client.publish(f"edged/{NODE}/cancel", topic)
            if topic.isprintable() and not {"+", "#"} & set(topic):
                client.publish(REQUEST, "x", ResponseTopic=topic)
        for verb in COMMANDS:
            strangers.append(f"edged/{NODE}/command/{verb}")
            client.publish(strangers[-1], "x")
        served(client)
        eventually(lambda: client.connected, "the broker found no fault with us")
        history = witness.history()
        assert verdict(daemon, history, strangers=strangers) == []
        sent = [record for record in history if record.topic.startswith(REPLIES)]
        assert not [record.topic for record in sent if record.retain]
        assert not [record.topic for record in sent if len(record.topic) > 256]
        assert told(daemon, "bad_reply_topic")


def test_random_bytes_are_each_answered_once() -> None:
    chance = random.Random(SEED)  # noqa: S311 - to be repeated
    whole = b'{"id": "a1", "prompt": "hello \\u00e4", "max_tokens": 5, "stop": ["x"], "seed": 1}'
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script=SCRIPT) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(f"{REPLIES}#")
        served(client)
        rss = daemon.rss()
        for number in range(PAYLOADS):
            mutant = bytearray(whole if number % 4 else chance.randbytes(300))
            for _ in range(number % 4):
                mutant[chance.randrange(len(mutant))] = chance.randrange(256)
            mark = f"m{number}".encode()
            client.publish(
                REQUEST,
                bytes(mutant),
                CorrelationData=mark,
                UserProperty=[("client", f"c{number}")],
                wait=number % 20 == 0,
            )
        marks = {f"m{number}".encode() for number in range(PAYLOADS)}
        eventually(lambda: _marks(client) >= marks, "each is answered")
        served(client)
        assert len([r for r in witness.history() if r.correlation in marks]) == 2 * PAYLOADS
        assert daemon.rss() < rss + GROWTH_BYTES
        assert not {"Traceback", "mistake in edged"} & set(daemon.stderr().splitlines())


def _marks(client: TestClient) -> set[bytes | None]:
    return {record.correlation for record in list(client.records)}
