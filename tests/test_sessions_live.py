"""Conversations over a real broker with the real pocket model."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import NODE, REAL, eventually, unharmed
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess, merge
from tests.rig.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process

PERSONAS: dict[str, Any] = {
    "personas": [{"name": "butler", "system": "You are the voice of this house. Be brief."}]
}
CONTEXT = 512


@pytest.fixture(name="client", scope="module")
def _client() -> Iterator[TestClient]:
    config = merge(REAL, {**PERSONAS, "model": {"context": CONTEXT}})
    with (
        Broker() as broker,
        DaemonProcess(broker.port, config=config) as daemon,
        TestClient(broker.port) as client,
    ):
        yield client
        assert unharmed(daemon) == []


def ask(client: TestClient, session: str, prompt: str, **fields: Any) -> dict[str, Any]:
    asked = {"max_tokens": 24, "temperature": 0, **fields}
    return client.ask(NODE, prompt, session=session, **asked)


def turns(reply: dict[str, Any]) -> int:
    assert reply["status"] == "ok", reply
    count: int = reply["session"]["turns"]
    return count


def known(before: dict[str, Any]) -> int:
    """Tokens that a context holds after this reply; the last one is never computed."""
    usage = before["usage"]
    count: int = usage["prompt_tokens"] + usage["completion_tokens"] - 1
    return count


def test_the_second_turn_is_read_from_where_the_first_one_ended(client: TestClient) -> None:
    replies = [
        ask(client, "evening", prompt)
        for prompt in ("Is the kitchen warm?", "And the bedroom?", "Thank you.")
    ]
    assert [turns(reply) for reply in replies] == [0, 1, 2]
    for before, after in pairwise(replies):
        usage = after["usage"]
        assert known(before) <= usage["cached_tokens"] < usage["prompt_tokens"]


def test_a_session_is_the_same_as_sending_all_messages(client: TestClient) -> None:
    first = ask(client, "same", "Is the kitchen warm?")
    second = ask(client, "same", "And the bedroom?")
    messages = [
        {"role": "user", "content": "Is the kitchen warm?"},
        {"role": "assistant", "content": first["text"]},
        {"role": "user", "content": "And the bedroom?"},
    ]
    body = {"id": "whole", "messages": messages, "max_tokens": 24, "temperature": 0}
    client.subscribe(f"edged/{NODE}/reply/whole")
    client.publish(f"edged/{NODE}/request", json.dumps(body))
    whole = client.wait_topic(f"edged/{NODE}/reply/whole").json()
    assert whole["text"] == second["text"]
    assert whole["usage"]["prompt_tokens"] == second["usage"]["prompt_tokens"]
    assert "session" not in whole


def test_persona_schema_and_choices_go_on_with_it(client: TestClient) -> None:
    replies = [
        ask(client, "mixed", "Is the kitchen warm?", persona="butler"),
        ask(client, "mixed", "Say it as JSON.", schema={"type": "boolean"}),
        ask(client, "mixed", "Warm or cold?", choices=["warm", "cold"]),
        ask(client, "mixed", "Why?"),
    ]
    assert [turns(reply) for reply in replies] == [0, 1, 2, 3]
    assert isinstance(replies[1]["json"], bool)
    assert replies[2]["choice"] in {"warm", "cold"}
    alone = ask(client, "alone", "Why?")
    assert replies[0]["usage"]["prompt_tokens"] > alone["usage"]["prompt_tokens"]
    for before, after in pairwise(replies):
        # what was decided without being written has to be read
        assert after["usage"]["cached_tokens"] >= before["usage"]["prompt_tokens"] - 1


def test_nobody_is_refused_for_what_was_said_before(client: TestClient) -> None:
    seen = []
    for number in range(30):
        reply = ask(client, "long", f"Tell me about room {number}, at length.", max_tokens=48)
        seen.append(turns(reply))
        assert reply["usage"]["prompt_tokens"] + 48 <= CONTEXT, "room for the answer"
    falls = [after < before for before, after in pairwise(seen)]
    assert 0 < sum(falls) < len(seen) / 3, f"dropped seldom, and whole: {seen}"
    huge = ask(client, "long", "word " * 300, max_tokens=24)
    assert turns(huge) < seen[-1] + 1
    refused = client.ask(NODE, "word " * 2000, session="long")
    assert (refused["status"], refused["error"]["code"]) == ("rejected", "prompt_too_long")
    assert turns(ask(client, "long", "Are you there?")) >= 0


def test_a_fleet_keeps_a_session_on_each_node(client: TestClient) -> None:
    fleet = {"fleet": {"enabled": True}}
    with (
        Witness(client.port) as asker,
        DaemonProcess(client.port, node="one", script={}, config=fleet),
    ):

        def accepting() -> bool:
            infos = [each.json() for each in asker.on("edged/one/info") if each.payload]
            return bool(infos and infos[-1]["fleet"] and infos[-1]["fleet"]["accepting"])

        eventually(accepting, "the node in its group")
        for number in range(2):
            body = {"id": f"f{number}", "prompt": "hello", "session": "shared"}
            asker.publish("edged/any/request", json.dumps(body))
            reply = asker.wait_topic(f"edged/any/reply/f{number}").json()
            assert turns(reply) == number
        assert turns(asker.ask("one", "hello", session="shared")) == 0, "another owner"


def test_a_restart_forgets() -> None:
    with (
        Broker() as broker,
        DaemonProcess(broker.port, config=REAL) as daemon,
        TestClient(broker.port) as client,
    ):
        assert [turns(ask(client, "s", "Hello.")) for _ in range(2)] == [0, 1]
        assert daemon.terminate() == 0
        daemon.start()
        assert turns(ask(client, "s", "Hello.")) == 0
        assert unharmed(daemon) == []
