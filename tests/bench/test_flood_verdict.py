"""What counts as one terminal reply, a refusal, and a held-up cancel."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from bench.flood_verdict import MIB, Answers, Flooded, Quiet, by_id, delay, judge, kind, silences
from tests.rig.client import Record

BUSY = {"status": "rejected", "error": {"code": "busy", "message": "full", "retry_after_s": 3}}
FLOOD = Flooded(
    began=10.0, sent=11.0, answered={"a": [(12.0, {"status": "ok"})], "b": [(11.5, BUSY)]}
)
QUIET = Quiet(
    asked=("c",),
    answered={"c": [(10.4, {"status": "cancelled"})]},
    cancelled={"c": 10.2},
    states=(9.0, 10.5, 11.2, 13.0),
    memory=(40 * MIB, 45 * MIB, 42 * MIB),
)
WANTED = {"a", "b"}


def failed(flood: Flooded = FLOOD, quiet: Quiet = QUIET) -> list[str]:
    figures = judge(flood, quiet, WANTED, {}).figures
    return [figure.name for figure in figures if not figure.ok]


def flooded(**answered: list[dict[str, Any]]) -> Flooded:
    timed: Answers = {name: [(12.0, r) for r in replies] for name, replies in answered.items()}
    return msgspec.structs.replace(FLOOD, answered={**FLOOD.answered, **timed})


def quiet(**changes: Any) -> Quiet:
    return msgspec.structs.replace(QUIET, **changes)


def test_one_reply_for_everyone_is_good() -> None:
    result = judge(FLOOD, QUIET, WANTED, {"engine": "fake"})
    values = {figure.name: figure.value for figure in result.figures}
    assert result.ok
    assert (values["answered"], values["taken back"]) == (1, 1)
    assert values["refused with a time to try again"] == 1
    assert values["memory of the daemon, growth at most"] == 5
    assert values["slowest cancel"] == pytest.approx(0.2)
    assert values["cancels while prompts were refused"] == 1
    assert values["longest gap between states"] == pytest.approx(0.8)
    assert values["last refusal after"] == pytest.approx(1.5)
    assert values["last answer after"] == pytest.approx(2.0)


def test_each_broken_promise_is_named() -> None:
    missing = msgspec.structs.replace(FLOOD, answered={"a": [(12.0, BUSY)]})
    assert failed(missing) == ["prompts without a terminal reply"]
    assert failed(flooded(a=[BUSY, BUSY])) == ["prompts with more than one"]
    wrong = flooded(b=[{"status": "failed"}])
    assert failed(wrong) == ["replies that are neither answer nor refusal"]
    grown = quiet(memory=(40 * MIB, 73 * MIB))
    assert failed(quiet=grown) == ["memory of the daemon, growth at most"]
    assert failed(quiet=quiet(cancelled={"c": 9.0})) == ["slowest cancel"]
    assert failed(quiet=quiet(states=())) == ["longest gap between states"]


def test_a_quiet_client_without_a_reply_is_told_twice() -> None:
    lost = quiet(answered={}, cancelled={"c": 10.2})
    expected = ["prompts without a terminal reply", "cancels without a reply", "slowest cancel"]
    assert failed(quiet=lost) == expected


def test_no_cancel_at_all_proves_nothing() -> None:
    assert failed(quiet=quiet(cancelled={})) == ["slowest cancel"]


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
    reply, state = "edged/n/reply/a", "edged/n/state"
    records = [
        Record(at=at, topic=topic, payload=json.dumps(BUSY).encode(), qos=1, retain=False)
        for at, topic in ((1.0, reply), (2.0, state), (3.0, reply))
    ]
    assert by_id(records) == {"a": [(1.0, BUSY), (3.0, BUSY)]}


def test_a_cancel_that_came_too_late_took_no_time() -> None:
    assert delay([(5.0, BUSY)], 6.0) == 0.0
    assert delay([(7.0, BUSY)], 6.0) == 1.0
    assert delay(None, 6.0) is None


def test_gaps_reach_from_the_first_prompt_to_the_last_reply() -> None:
    assert silences(FLOOD, QUIET) == pytest.approx([0.5, 0.7, 0.8])
