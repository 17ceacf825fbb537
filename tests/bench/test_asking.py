"""An answer's times are those of its messages as they arrived."""

from __future__ import annotations

import json
import math

import pytest

from bench import asking
from tests.rig.broker import Broker
from tests.rig.client import Record, TestClient

STREAM = "edged/bench/stream/a"


def record(at: float, topic: str, **payload: object) -> Record:
    data = json.dumps(payload).encode()
    return Record(at=at, topic=topic, payload=data, qos=0, retain=False)


END = record(
    12.0,
    "edged/bench/reply/a",
    status="ok",
    usage={"prompt_tokens": 7, "cached_tokens": 3, "completion_tokens": 5},
    timings={"ttft_ms": 900.0},
)


def test_rate_and_delay_are_the_clients() -> None:
    records = [
        record(10.5, "edged/bench/stream/other", seq=0, delta="no"),
        record(10.9, STREAM, seq=0, delta=""),
        record(11.0, STREAM, seq=0, delta="Good "),
        record(11.5, STREAM, seq=1, delta="morning"),
        record(11.9, STREAM, seq=2, done=True),
    ]
    asked = asking.read(records, STREAM, 10.0, END)
    assert asked.streamed == "Good morning"
    assert asked.tokens == 5
    assert asked.prompt_tokens == 7
    assert (asked.cached_tokens, asked.read_tokens) == (3, 4)
    assert asked.tokens_per_second == pytest.approx(4.0)  # four after the first, in one second
    assert asked.ttft_ms == pytest.approx(1000.0)
    assert asked.added_ms == pytest.approx(100.0)


def test_an_answer_without_deltas_begins_at_its_end() -> None:
    asked = asking.read([], STREAM, 10.0, END)
    assert asked.first_s == asked.end_s
    assert asked.tokens_per_second == 0.0


def test_a_timing_that_is_missing_is_not_a_number() -> None:
    asked = asking.read([], STREAM, 10.0, record(11.0, "edged/bench/reply/a", status="failed"))
    assert asked.tokens == 0
    assert math.isnan(asked.timing("ttft_ms"))
    assert math.isnan(asked.added_ms)


@pytest.mark.process
def test_several_are_asked_at_once_and_have_their_own_answers() -> None:
    with Broker() as broker, TestClient(broker.port) as node, TestClient(broker.port) as client:
        node.subscribe("edged/bench/request")
        asking.subscribe(client, "bench")
        many = asking.Asking(client, "bench", ["one", "two"], 5)
        asked = [node.wait(is_request, count=number).json() for number in (1, 2)]
        assert [each["prompt"] for each in asked] == ["one", "two"]
        answer(node, asked[1])
        assert not many.over(0.1)
        with pytest.raises(TimeoutError, match=asked[0]["id"]):
            many.answers()
        answer(node, asked[0])
        assert many.over(10)
        assert [each.reply["text"] for each in many.answers()] == ["one", "two"]


def is_request(record: Record) -> bool:
    return record.topic == "edged/bench/request"


def answer(node: TestClient, asked: dict[str, str]) -> None:
    reply = json.dumps({"status": "ok", "text": asked["prompt"]})
    node.publish(f"edged/bench/reply/{asked['id']}", reply)
