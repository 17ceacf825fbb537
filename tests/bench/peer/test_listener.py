"""What mosquitto_sub writes down is read as the answer it was."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bench import asking
from bench.peer import listener as module
from bench.peer.listener import Listener
from tests.rig.broker import Broker
from tests.rig.client import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

NODE = "bench"


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


def answer(node: TestClient, number: int) -> None:
    """Stream two words and reply to the `number`th request."""
    asked = node.wait(lambda record: record.topic.endswith("/request"), count=number).json()
    for seq, word in enumerate(("Good ", "morning\n")):
        delta = json.dumps({"seq": seq, "delta": word})
        node.publish(f"edged/{NODE}/stream/{asked['id']}", delta, qos=0)
    usage = {"prompt_tokens": 7, "completion_tokens": asked["max_tokens"]}
    node.publish(f"edged/{NODE}/reply/{asked['id']}", json.dumps({"status": "ok", "usage": usage}))


def test_each_answer_has_its_own_times_on_the_monotonic_clock(broker: Broker) -> None:
    with TestClient(broker.port) as node, TestClient(broker.port) as client:
        node.subscribe(f"edged/{NODE}/request")
        asking.subscribe(client, NODE, streams=False)
        with Listener(client, NODE) as listener, ThreadPoolExecutor(1) as thread:
            for number in (1, 2):
                before = time.monotonic()
                done = thread.submit(answer, node, number)
                asked = listener.ask(f"prompt {number}", tokens=5)
                done.result()
                assert asked.streamed == "Good morning\n"
                assert (asked.tokens, asked.prompt_tokens) == (5, 7)
                assert before <= asked.sent_s < asked.first_s <= asked.end_s <= time.monotonic()
        assert not any("/stream/" in record.topic for record in client.records)


def test_a_broker_that_is_not_there_is_told(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.3)
    with TestClient(broker.port) as client:
        client.port += 1
        with pytest.raises(TimeoutError, match="hears nothing"), Listener(client, NODE):
            pass
