"""However a run ends, its asker hears of it once."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest

from edged.serving.effects import (
    Acknowledge,
    CancelRun,
    Effect,
    Finished,
    MarkRunning,
    MarkWaiting,
    SendDelta,
    SendReply,
    Submit,
)
from edged.serving.events import (
    CancelAsked,
    Decoded,
    Drain,
    DrainOver,
    LedgerLost,
    Prefilled,
    RunFailed,
)
from edged.serving.request import Priority, Timings, Usage
from tests.serving.make import (
    Desk,
    answer,
    completed,
    engine_lost,
    engine_ready,
    kinds,
    only,
    request,
    usage,
)

KEY = request("q").key
READY = engine_ready()


def running() -> Desk:
    desk = Desk()
    desk.ask(request("before"))
    desk.ask(request("q"))
    desk.on(completed(request("before").key), after=2)
    return desk


class TestCompleted:
    def test_reply_has_text_and_figures(self) -> None:
        desk = running()
        desk.on(Decoded(key=KEY, text="Hello", tokens=2), after=1)
        effects = desk.on(completed(KEY), after=1)
        assert kinds(effects) == ["SendDelta", "Conclude", "SendReply", "Finished"]
        reply = answer(effects)
        assert (reply.id, reply.status, reply.text) == ("q", "ok", "Hello")
        assert (reply.finish_reason, reply.usage, reply.variant) == ("stop", usage(), "tiny-Q4_K")
        assert reply.timings == Timings(
            queue_ms=2000.0,
            ttft_ms=2700.0,
            prompt_per_second=10.0,
            predicted_per_second=8.0,
            total_ms=4000.0,
        )
        assert only(effects, SendReply)[0].key == KEY

    def test_rates_that_can_not_be_known_are_left_out(self) -> None:
        desk = running()
        event = completed(KEY)
        none = type(event)(
            key=KEY,
            finish_reason="length",
            usage=Usage(prompt_tokens=4, cached_tokens=4, completion_tokens=0),
        )
        reply = answer(desk.on(none))
        assert reply.timings == Timings(queue_ms=2000.0, total_ms=2000.0)
        assert reply.finish_reason == "length"

    def test_next_one_starts(self) -> None:
        desk = running()
        desk.ask(request("next"))
        assert only(desk.on(completed(KEY)), Submit)[0].request.id == "next"

    def test_mean_follows(self) -> None:
        desk = Desk()
        desk.ask(request("q"))
        desk.on(completed(KEY), after=10)
        assert desk.standing().avg_service_s == pytest.approx(26.0)

    def test_cancelled_has_the_partial_text(self) -> None:
        desk = running()
        desk.on(Decoded(key=KEY, text="Hel", tokens=1))
        desk.on(CancelAsked(id="q"))
        reply = answer(desk.on(completed(KEY, "cancelled")))
        assert (reply.status, reply.finish_reason, reply.text) == (
            "cancelled",
            "cancelled",
            "Hel",
        )

    @pytest.mark.parametrize(
        ("text", "reason", "status", "shown", "code"),
        [
            ('{"on": true}', "stop", "ok", {"json": {"on": True}}, None),
            ("null", "stop", "ok", {"json": None}, None),
            ('{"on": tr', "length", "ok", {"text": '{"on": tr'}, None),
            ('{"on"', "cancelled", "cancelled", {"text": '{"on"'}, None),
            ('{"on"', "stop", "failed", {"text": '{"on"'}, "bad_answer"),
            ('{"on"', "deadline", "failed", {"text": '{"on"'}, "deadline"),
            ("", "deadline", "expired", {}, "too_late"),
        ],
    )
    def test_an_answer_that_obeys_a_schema_is_json_if_it_is_whole(
        self, text: str, reason: str, status: str, shown: dict[str, Any], code: str | None
    ) -> None:
        desk = Desk()
        desk.ask(request("q", schema="{}"))
        desk.on(Decoded(key=request("q").key, text=text, tokens=2))
        desk.on(CancelAsked(id="q"))
        (sent,) = only(desk.on(completed(request("q").key, reason)), SendReply)
        reply = json.loads(sent.payload)
        assert reply["status"] == status
        assert {name: reply[name] for name in ("text", "json") if name in reply} == shown
        assert reply.get("error", {}).get("code") == code

    def test_cut_in_time_has_the_text_there_is(self) -> None:
        desk = Desk()
        desk.ask(request("q", answer_within=5))
        desk.on(Decoded(key=KEY, text="It is warm.", tokens=9))
        reply = answer(desk.on(completed(KEY, "deadline")))
        assert (reply.status, reply.finish_reason) == ("ok", "deadline")
        assert (reply.text, reply.error, reply.usage) == ("It is warm.", None, usage())

    @pytest.mark.parametrize("choices", [(), ("on", "off")])
    def test_nothing_in_time_is_too_late(self, choices: tuple[str, ...]) -> None:
        desk = Desk()
        desk.ask(request("q", answer_within=5, choices=choices))
        desk.on(Decoded(key=KEY, text=" ", tokens=1))
        reply = answer(desk.on(completed(KEY, "deadline"), after=4.8))
        assert (reply.status, reply.finish_reason, reply.text) == ("expired", None, None)
        assert reply.error is not None
        assert (reply.error.code, reply.error.message) == ("too_late", "no answer within 5 s")
        assert reply.usage == usage()

    @pytest.mark.parametrize(("none_of", "choice"), [(None, "on"), (0.7, "on"), (0.8, None)])
    def test_a_decision_has_a_choice_and_no_text(
        self, none_of: float | None, choice: str | None
    ) -> None:
        desk = Desk()
        desk.ask(request("q", choices=("off", "on"), none_of=none_of))
        scores = (math.log(0.01), math.log(0.03))
        event = msgspec.structs.replace(completed(KEY), scores=scores)
        (sent,) = only(desk.on(event), SendReply)
        reply = json.loads(sent.payload)
        assert (reply["status"], reply["finish_reason"]) == ("ok", "stop")
        assert reply["choice"] == choice
        assert reply["probabilities"] == {"off": 0.25, "on": 0.75}
        assert "text" not in reply

    def test_a_decision_that_was_cancelled_has_neither(self) -> None:
        desk = Desk()
        desk.ask(request("q", choices=("off", "on")))
        (sent,) = only(desk.on(completed(KEY, "cancelled")), SendReply)
        assert {"choice", "text", "probabilities"}.isdisjoint(json.loads(sent.payload))

    def test_scores_of_other_choices_decide_nothing(self) -> None:
        desk = Desk()
        desk.ask(request("q", choices=("off", "on")))
        event = msgspec.structs.replace(completed(KEY), scores=(-1.0,))
        reply = answer(desk.on(event))
        assert (reply.status, reply.error and reply.error.code) == ("failed", "bad_answer")

    def test_cancelled_too_late_is_done(self) -> None:
        desk = running()
        desk.on(CancelAsked(id="q"))
        assert answer(desk.on(completed(KEY))).status == "ok"


class TestRunFailed:
    @pytest.mark.parametrize(
        ("code", "status"),
        [
            ("prompt_too_long", "rejected"),
            ("bad_schema", "rejected"),
            ("bad_template", "failed"),
        ],
    )
    def test_is_told(self, code: str, status: str) -> None:
        effects = running().on(RunFailed(key=KEY, code=code, message="why\n"))
        reply = answer(effects)
        assert reply.error is not None
        assert (reply.status, reply.error.code, reply.error.message) == (status, code, "why\\n")
        assert only(effects, SendDelta)[-1].done

    def test_of_nobody_is_ignored(self) -> None:
        assert running().on(RunFailed(key="x", code="c", message="m")) == []


class TestEngineLost:
    def test_what_it_had_in_hand_is_not_tried_again(self) -> None:
        desk = running()
        desk.on(Prefilled(key=KEY, done=12, total=12))
        desk.on(Decoded(key=KEY, text="Hel", tokens=1))
        effects = desk.on(engine_lost(KEY))
        reply = answer(effects)
        assert reply.error is not None
        assert (reply.status, reply.error.code) == ("failed", "engine_died")
        assert reply.error.message == "the engine died in decode: SIGSEGV"
        assert (reply.text, reply.usage) == (
            "Hel",
            Usage(prompt_tokens=12, cached_tokens=0, completion_tokens=7),
        )
        assert not only(desk.on(READY), Submit)

    def test_what_was_to_be_cancelled_is_cancelled(self) -> None:
        desk = running()
        desk.on(CancelAsked(id="q"))
        reply = answer(desk.on(engine_lost(KEY)))
        assert (reply.status, reply.error) == ("cancelled", None)

    def test_what_it_had_begun_is_not_tried_again_whatever_is_said(self) -> None:
        desk = running()
        desk.on(Prefilled(key=KEY, done=1, total=12))
        assert answer(desk.on(engine_lost())).status == "failed"

    def test_what_was_to_be_cancelled_does_not_run_again(self) -> None:
        desk = running()
        desk.on(CancelAsked(id="q"))
        assert answer(desk.on(engine_lost())).status == "cancelled"

    def test_what_it_never_touched_runs_again_once(self) -> None:
        desk = running()
        assert kinds(desk.on(engine_lost())) == ["MarkWaiting", "SendProgress"]
        assert only(desk.on(READY), MarkRunning) == [MarkRunning(key=KEY, attempts=2)]
        assert answer(desk.on(engine_lost())).status == "failed"

    def test_others_wait_for_the_next_engine(self) -> None:
        desk = running()
        desk.ask(request("next"))
        desk.on(engine_lost(KEY))
        assert only(desk.on(READY), Submit)[0].request.id == "next"

    def test_what_was_interrupted_runs_alone(self) -> None:
        desk = Desk(streams=2)
        desk.ask(request("q"))
        desk.on(engine_lost())
        desk.ask(request("next"))
        assert [sent.request.id for sent in only(desk.on(engine_ready(2)), Submit)] == ["q"]
        assert [sent.request.id for sent in only(desk.on(completed(KEY)), Submit)] == ["next"]

    def test_for_good_answers_all(self) -> None:
        desk = running()
        desk.ask(request("next"))
        effects = desk.on(engine_lost(KEY, retry_in=None))
        replies = {sent.request_id: sent.reply for sent in only(effects, SendReply)}
        errors = {name: reply.error for name, reply in replies.items() if reply}
        assert {name: error.code for name, error in errors.items() if error} == {
            "q": "engine_died",
            "next": "unavailable",
        }
        assert desk.standing().fatal == "SIGSEGV"
        desk.on(READY)
        assert desk.standing().fatal is None

    def test_for_good_while_stopping_leaves_the_waiting_to_the_next_start(self) -> None:
        desk = running()
        desk.ask(request("next"))
        desk.on(Drain())
        assert answer(desk.on(engine_lost(KEY, retry_in=None))).id == "q"
        assert desk.standing().waiting == 1


class TestSeveralLost:
    """Nobody knows which of them it was."""

    def crashed(self, *names: str) -> Desk:
        """Those ran side by side and were touched when the engine died; it is up again."""
        desk = Desk(streams=3)
        for name in names:
            desk.ask(request(name))
            desk.on(Decoded(key=request(name).key, text="Hel", tokens=1))
        effects = desk.on(engine_lost(*(request(name).key for name in names)))
        waiting = [MarkWaiting(key=request(name).key, attempts=1) for name in names]
        assert only(effects, MarkWaiting) == waiting
        assert not only(effects, SendReply)
        return desk

    def started(self, effects: list[Effect]) -> list[str]:
        return [sent.request.id for sent in only(effects, Submit)]

    def test_each_runs_again_alone_in_its_order(self) -> None:
        desk = self.crashed("a", "b")
        desk.ask(request("c"))
        assert self.started(desk.on(engine_ready(3))) == ["a"]
        assert self.started(desk.ask(request("now", priority=Priority.URGENT))) == []
        reply = desk.on(completed(request("a").key))
        assert answer(reply).status == "ok"
        assert self.started(reply) == ["b"]
        rest = desk.on(completed(request("b").key))
        assert self.started(rest) == ["now", "c"]

    def test_the_next_death_finds_the_one(self) -> None:
        desk = self.crashed("a", "b")
        desk.on(engine_ready(3))
        reply = answer(desk.on(engine_lost(request("a").key)))
        assert reply.error is not None
        assert (reply.id, reply.status, reply.error.code) == ("a", "failed", "engine_died")
        desk.on(engine_ready(3))
        assert answer(desk.on(completed(request("b").key))).status == "ok"

    def test_the_touched_and_the_named_are_in_hand(self) -> None:
        desk = Desk(streams=2)
        desk.ask(request("a"))
        desk.ask(request("b"))
        desk.on(Prefilled(key=request("a").key, done=1, total=2))
        effects = desk.on(engine_lost(request("b").key))
        assert len(only(effects, MarkWaiting)) == 2

    def test_one_that_never_reached_it_is_no_suspect(self) -> None:
        desk = Desk(streams=2)
        desk.ask(request("a"))
        desk.ask(request("late"))
        effects = desk.on(engine_lost(request("a").key))
        assert answer(effects).id == "a"
        assert only(effects, MarkWaiting) == [MarkWaiting(key=request("late").key, attempts=1)]

    def test_what_was_to_be_cancelled_is_cancelled_and_a_suspect(self) -> None:
        desk = Desk(streams=2)
        desk.ask(request("a"))
        desk.ask(request("b"))
        desk.on(CancelAsked(id="a"))
        effects = desk.on(engine_lost(request("a").key, request("b").key))
        assert (answer(effects).id, answer(effects).status) == ("a", "cancelled")
        assert [mark.key for mark in only(effects, MarkWaiting)] == [request("b").key]

    def test_for_good_answers_each_as_a_victim(self) -> None:
        desk = Desk(streams=2)
        desk.ask(request("a"))
        desk.ask(request("b"))
        keys = [request(name).key for name in "ab"]
        effects = desk.on(engine_lost(*keys, retry_in=None))
        replies = [sent.reply for sent in only(effects, SendReply) if sent.reply]
        assert [reply.error and reply.error.code for reply in replies] == ["engine_died"] * 2

    def test_while_stopping_they_wait_for_the_next_start(self) -> None:
        desk = Desk(streams=2)
        desk.ask(request("a"))
        desk.ask(request("b"))
        desk.on(Drain())
        keys = [request(name).key for name in "ab"]
        effects = desk.on(engine_lost(*keys, retry_in=None))
        assert len(only(effects, MarkWaiting)) == 2
        assert desk.standing().waiting == 2

    def test_while_stopping_without_a_ledger_they_are_told(self) -> None:
        desk = Desk(streams=2)
        desk.ask(request("a"))
        desk.ask(request("b"))
        desk.on(LedgerLost())
        desk.on(Drain())
        effects = desk.on(engine_lost(*(request(name).key for name in "ab")))
        assert len(only(effects, SendReply)) == 2


class TestDrainOver:
    def test_running_goes_back_to_the_ledger(self) -> None:
        desk = running()
        desk.on(Decoded(key=KEY, text="Hel", tokens=1))
        assert desk.on(Drain()) == []
        effects = desk.on(DrainOver())
        assert effects[:2] == [MarkWaiting(key=KEY, attempts=0), CancelRun(key=KEY)]
        assert desk.on(completed(KEY, "cancelled")) == []
        assert (desk.standing().waiting, desk.standing().running) == (1, 0)

    def test_without_a_ledger_it_is_answered(self) -> None:
        desk = running()
        desk.on(LedgerLost())
        desk.on(Drain())
        reply = answer(desk.on(DrainOver()))
        assert reply.error is not None
        assert (reply.status, reply.error.code) == ("failed", "shutting_down")

    def test_what_was_to_be_cancelled_is_cancelled(self) -> None:
        desk = running()
        desk.on(CancelAsked(id="q"))
        effects = desk.on(DrainOver())
        assert answer(effects).status == "cancelled"
        assert only(effects, Finished)[0].status == "cancelled"
        assert not only(effects, Acknowledge)
