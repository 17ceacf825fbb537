"""Answers that must end in time: cut, refused, waiting in vain, and over a death in the middle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import (
    NODE,
    REAL,
    STATE,
    engine,
    eventually,
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
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.fault]

# Without an end of its own: each third word ends a sentence.
ENDLESS: Mapping[str, Any] = {"ms_per_token": 20, "tokens": 100_000, "answer": "It is warm."}
LONG: Mapping[str, Any] = {"max_tokens": 4096}
# Time for some tokens where the cores are shared, and far less than LONG takes.
SOON_S = 1.5
STREAMS = f"edged/{NODE}/stream/"


def streamed(client: TestClient, request_id: str) -> str:
    """The text of a stream that has ended, from its last beginning on."""
    topic = STREAMS + request_id
    client.wait(lambda record: record.topic == topic and b'"done":true' in record.payload)
    pieces = [json.loads(record.payload) for record in client.on(topic)]
    first = max(place for place, piece in enumerate(pieces) if piece["seq"] == 0)
    return "".join(piece["delta"] for piece in pieces[first:])


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


@pytest.fixture(params=["fake", "real"])
def daemon(
    request: pytest.FixtureRequest, broker: Broker, endless: Path
) -> Iterator[DaemonProcess]:
    """One whose answers do not end by themselves."""
    fake = request.param == "fake"
    config = {} if fake else {**REAL, "model": {"path": str(endless)}}
    with (
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script=ENDLESS if fake else None, config=config) as daemon,
    ):
        yield daemon
        # One that is urgent has a place of its own.
        assert verdict(daemon, witness.history(), running=2, gaps=True) == []


@pytest.fixture
def client(daemon: DaemonProcess, broker: Broker) -> Iterator[TestClient]:
    del daemon  # it is to be there first
    with TestClient(broker.port) as client:
        client.subscribe(f"edged/{NODE}/reply/+", f"{STREAMS}+", f"edged/{NODE}/progress/+", STATE)
        # And its engine: a load takes a busy machine more than SOON_S.
        eventually(lambda: status(client) == "ready", "the engine is there")
        yield client


def test_it_is_cut_in_time_and_stream_and_reply_agree(client: TestClient) -> None:
    client.send(NODE, "hello", id="soon", answer_within=SOON_S, **LONG)
    reply = reply_of(client, "soon")
    assert (reply["status"], reply["finish_reason"]) == ("ok", "deadline")
    assert reply["usage"]["completion_tokens"] > 0
    assert reply["text"] == streamed(client, "soon") != ""
    plans = [record.json() for record in client.on(f"edged/{NODE}/progress/soon")]
    assert any(plan.get("planned_tokens", 0) > 0 for plan in plans)


def test_two_at_once_and_one_behind_a_long_one(client: TestClient) -> None:
    client.send(NODE, "hello", id="long", **LONG)
    streaming(client, "long")
    client.send(NODE, "hello", id="urgent", priority="urgent", answer_within=SOON_S, **LONG)
    client.send(NODE, "hello", id="behind", answer_within=1)
    urgent, behind = reply_of(client, "urgent"), reply_of(client, "behind")
    assert (urgent["status"], urgent["finish_reason"]) == ("ok", "deadline")
    assert (behind["status"], behind["error"]["code"]) == ("expired", "too_late")
    client.publish(f"edged/{NODE}/cancel", "long")
    assert reply_of(client, "long")["status"] in {"cancelled", "ok"}


def test_json_that_is_cut_is_told_as_such(client: TestClient) -> None:
    schema = {"type": "array", "items": {"type": "string", "minLength": 200}, "minItems": 200}
    client.send(NODE, "hello", id="json", schema=schema, answer_within=SOON_S, **LONG)
    reply = reply_of(client, "json")
    assert (reply["status"], reply["error"]["code"]) == ("failed", "deadline")
    assert "json" not in reply
    assert reply["text"].startswith("[")


def test_a_death_in_the_middle_does_not_stop_the_clock(
    client: TestClient, daemon: DaemonProcess
) -> None:
    client.send(NODE, "hello", id="q", answer_within=SOON_S, **LONG)
    streaming(client, "q")
    daemon.kill()
    daemon.start()
    in_time_or_expired(client, "q")
    served_soon(client)


def test_a_stop_in_the_middle_does_not_stop_it_either(
    client: TestClient, daemon: DaemonProcess
) -> None:
    client.send(NODE, "hello", id="q", answer_within=SOON_S, **LONG)
    streaming(client, "q")
    assert daemon.terminate() == 0
    daemon.start()
    in_time_or_expired(client, "q")
    served_soon(client)


def in_time_or_expired(client: TestClient, request_id: str) -> None:
    """As far as the start took: it is run once more for the rest of its time, or there is none."""
    reply = reply_of(client, request_id)
    if reply["status"] == "ok":
        assert reply["finish_reason"] == "deadline"
        assert reply["text"] == streamed(client, request_id)
    else:
        assert (reply["status"], reply["error"]["code"]) == ("expired", "too_late")


def served_soon(client: TestClient) -> None:
    reply = client.ask(NODE, "hello", max_tokens=2)
    assert reply["status"] == "ok"


def test_the_death_of_the_engine_is_told_and_the_next_is_in_time() -> None:
    with (
        Broker() as broker,
        DaemonProcess(broker.port, script=ENDLESS) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(f"edged/{NODE}/reply/+", f"{STREAMS}+")
        client.send(NODE, "hello", id="q", answer_within=60, **LONG)
        streaming(client, "q")
        engine(daemon).kill()
        reply = reply_of(client, "q")
        assert (reply["status"], reply["error"]["code"]) == ("failed", "engine_died")
        eventually(lambda: told(daemon, "engine"), "the death is told")
        reply = client.ask(NODE, "hello", answer_within=5, max_tokens=2)
        assert reply["status"] == "ok"


def test_an_empty_house_sends_nobody_away() -> None:
    """Nothing was measured, and the engine takes longer to come than there is time."""
    with (
        Broker() as broker,
        DaemonProcess(broker.port, script={"load_ms": 3000}) as daemon,
        TestClient(broker.port) as client,
    ):
        reply = client.ask(NODE, "hello", answer_within=0.5)
        assert (reply["status"], reply["error"]["code"]) == ("expired", "too_late")
        served(client)
        assert verdict(daemon, []) == []
