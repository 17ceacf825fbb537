"""What counts as one terminal reply, a refusal, and a held-up cancel."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from bench.flood_verdict import MIB, Flood, by_id, delay, judge, kind, silences
from tests.rig.client import Record

BUSY = {"status": "rejected", "error": {"code": "busy", "message": "full", "retry_after_s": 3}}
FLOOD = Flood(
    replies={"a": [{"status": "ok"}], "b": [BUSY], "c": [{"status": "cancelled"}]},
    began=10.0,
    sent=11.0,
    ended=12.0,
    cancels=(0.2,),
    states=(9.0, 10.5, 11.2, 13.0),
    memory=(40 * MIB, 45 * MIB, 42 * MIB),
)
WANTED = {"a", "b", "c"}


def failed(flood: Flood) -> list[str]:
    return [figure.name for figure in judge(flood, WANTED, {}).figures if not figure.ok]


def with_replies(**more: list[dict[str, Any]]) -> Flood:
    return msgspec.structs.replace(FLOOD, replies={**FLOOD.replies, **more})


def test_one_reply_for_everyone_is_good() -> None:
    result = judge(FLOOD, WANTED, {"engine": "fake"})
    values = {figure.name: figure.value for figure in result.figures}
    assert result.ok
    assert (values["answered"], values["taken back"]) == (1, 1)
    assert values["refused with a time to try again"] == 1
    assert values["memory of the daemon, growth at most"] == 5
    assert values["longest gap between states"] == pytest.approx(0.8)


def test_each_broken_promise_is_named() -> None:
    missing = msgspec.structs.replace(FLOOD, replies={"a": [{"status": "ok"}], "c": [BUSY]})
    assert failed(missing) == ["prompts without a terminal reply"]
    assert failed(with_replies(a=[BUSY, BUSY])) == ["prompts with more than one"]
    wrong = with_replies(b=[{"status": "failed"}])
    assert failed(wrong) == ["replies that are neither answer nor refusal"]
    grown = msgspec.structs.replace(FLOOD, memory=(40 * MIB, 73 * MIB))
    assert failed(grown) == ["memory of the daemon, growth at most"]
    lost = msgspec.structs.replace(FLOOD, cancels=(0.1, None))
    assert failed(lost) == ["cancels without a reply"]
    late = msgspec.structs.replace(FLOOD, cancels=(0.1, 1.2))
    assert failed(late) == ["slowest cancel"]
    silent = msgspec.structs.replace(FLOOD, states=())
    assert failed(silent) == ["longest gap between states"]


def test_no_cancel_at_all_proves_nothing() -> None:
    none = msgspec.structs.replace(FLOOD, cancels=())
    assert failed(none) == ["slowest cancel"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"status": "ok"}, "ok"),
        ({"status": "cancelled"}, "cancelled"),
        (BUSY, "refused"),
        ({"status": "rejected", "error": {"code": "busy"}}, "wrong"),
        ({"status": "rejected", "error": {"code": "bad_json", "retry_after_s": 1}}, "wrong"),
        ({"status": "rejected"}, "wrong"),
        ({"status": "failed", "error": {"code": "busy", "retry_after_s": 1}}, "wrong"),
        ({}, "wrong"),
    ],
)
def test_only_an_answer_or_a_dated_refusal_counts(reply: dict[str, Any], expected: str) -> None:
    assert kind(reply) == expected


def test_replies_are_found_by_id_and_states_are_not_replies() -> None:
    records = [
        Record(at=at, topic=topic, payload=json.dumps(BUSY).encode(), qos=1, retain=False)
        for at, topic in (
            (1.0, "edged/n/reply/a"),
            (2.0, "edged/n/state"),
            (3.0, "edged/n/reply/a"),
        )
    ]
    assert by_id(records) == {"a": [(1.0, BUSY), (3.0, BUSY)]}


def test_a_cancel_that_came_too_late_took_no_time() -> None:
    assert delay([(5.0, BUSY)], 6.0) == 0.0
    assert delay([(7.0, BUSY)], 6.0) == 1.0
    assert delay(None, 6.0) is None


def test_gaps_reach_from_the_first_prompt_to_the_last_reply() -> None:
    assert silences(FLOOD) == pytest.approx([0.5, 0.7, 0.8])
