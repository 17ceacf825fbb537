"""However a run ends, its asker hears of it once."""

from __future__ import annotations

import pytest

from edged.serving.effects import (
    Acknowledge,
    CancelRun,
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
    EngineLost,
    EngineReady,
    LedgerLost,
    Prefilled,
    RunFailed,
)
from edged.serving.request import Timings, Usage
from tests.serving.make import Desk, answer, completed, kinds, only, request, usage

KEY = request("q").key
READY = EngineReady(variant="tiny-Q4_K", n_ctx=2048)


def running() -> Desk:
    desk = Desk()
    desk.ask(request("before"))
    desk.ask(request("q"))
    desk.on(completed(request("before").key), after=2)
    return desk


def lost(key: str | None = KEY, *, retry_in: float | None = 1.0) -> EngineLost:
    return EngineLost(reason="SIGSEGV", key=key, during="decode", tokens_done=7, retry_in=retry_in)


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

    def test_cancelled_too_late_is_done(self) -> None:
        desk = running()
        desk.on(CancelAsked(id="q"))
        assert answer(desk.on(completed(KEY))).status == "ok"


class TestRunFailed:
    @pytest.mark.parametrize(
        ("code", "status"), [("prompt_too_long", "rejected"), ("bad_template", "failed")]
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
        effects = desk.on(lost())
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
        reply = answer(desk.on(lost()))
        assert (reply.status, reply.error) == ("cancelled", None)

    def test_what_it_had_begun_is_not_tried_again_whatever_is_said(self) -> None:
        desk = running()
        desk.on(Prefilled(key=KEY, done=1, total=12))
        assert answer(desk.on(lost(None))).status == "failed"

    def test_what_was_to_be_cancelled_does_not_run_again(self) -> None:
        desk = running()
        desk.on(CancelAsked(id="q"))
        assert answer(desk.on(lost(None))).status == "cancelled"

    def test_what_it_never_touched_runs_again_once(self) -> None:
        desk = running()
        assert kinds(desk.on(lost(None))) == ["MarkWaiting", "SendProgress"]
        assert only(desk.on(READY), MarkRunning) == [MarkRunning(key=KEY, attempts=2)]
        assert answer(desk.on(lost(None))).status == "failed"

    def test_others_wait_for_the_next_engine(self) -> None:
        desk = running()
        desk.ask(request("next"))
        desk.on(lost())
        assert only(desk.on(READY), Submit)[0].request.id == "next"

    def test_for_good_answers_all(self) -> None:
        desk = running()
        desk.ask(request("next"))
        effects = desk.on(lost(retry_in=None))
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
        assert answer(desk.on(lost(retry_in=None))).id == "q"
        assert desk.standing().waiting == 1


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
