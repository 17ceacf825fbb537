"""After a restart: nothing accepted is lost, nothing answered is answered anew."""

from __future__ import annotations

from typing import Any

import pytest

from edged.serving.deadlines import HANDOVER_S
from edged.serving.effects import Conclude, Forget, MarkRunning, Rewrite, SendReply, Submit
from edged.serving.events import (
    EngineLost,
    LedgerBack,
    LedgerLost,
    ReplyTaken,
    Restored,
    RunFailed,
    Tick,
)
from edged.serving.request import Priority
from edged.serving.row import Row, State, StoredReply
from tests.serving.make import Desk, answer, completed, engine_ready, kinds, only, request

READY = engine_ready()


def row(
    name: str,
    state: State = "waiting",
    *,
    attempts: int = 0,
    age_s: float = 5.0,
    **asks: Any,
) -> Row:
    asked = request(name, **asks)
    return Row(key=asked.key, state=state, request=asked, attempts=attempts, age_s=age_s)


def replied(name: str, state: State = "replied", settled_s: float = 0.0) -> Row:
    return Row(
        key=request(name).key,
        state=state,
        fingerprint=f"f-{name}",
        reply=StoredReply(id=name, payload=b"{}", reply_to="a/b", correlation=b"c"),
        age_s=settled_s + 1,
        settled_s=settled_s,
    )


def restored(*rows: Row) -> Desk:
    desk = Desk(ready=False)
    desk.on(Restored(rows=rows))
    return desk


def test_waiting_waits_again_in_its_order() -> None:
    desk = restored(row("a"), row("b"))
    effects = desk.on(READY)
    assert only(effects, Submit)[0].request.id == "a"
    assert only(effects, MarkRunning)[0].attempts == 1
    assert desk.standing().oldest_wait_s == 0


def test_waiting_has_aged() -> None:
    desk = Desk(ready=False)
    effects = desk.on(Restored(rows=(row("a", age_s=10, expires_in=9),)))
    reply = answer(effects)
    assert reply.status == "expired"
    assert reply.timings is not None
    assert reply.timings.queue_ms == 10_000
    desk = restored(row("a", age_s=5, expires_in=9))
    assert not desk.on(Tick(), after=4)
    assert answer(desk.on(Tick(), after=0.1)).status == "expired"


def test_time_to_answer_goes_on_while_nobody_is_there() -> None:
    desk = restored(
        row("waits", age_s=5, answer_within=20), row("ran", "running", age_s=8, answer_within=20)
    )
    sent = only(desk.on(engine_ready(2), after=4), Submit)
    assert {it.request.id: it.within_s for it in sent} == {
        "ran": pytest.approx(8 - HANDOVER_S),
        "waits": pytest.approx(11 - HANDOVER_S),
    }


def test_what_ran_is_too_late_after_its_time() -> None:
    desk = Desk(ready=False)
    effects = desk.on(Restored(rows=(row("a", "running", attempts=1, age_s=9, answer_within=9),)))
    reply = answer(effects)
    assert reply.error is not None
    assert (reply.status, reply.error.code) == ("expired", "too_late")


@pytest.mark.parametrize("before", [row("a", attempts=1), row("a", "running"), row("a")])
def test_of_an_earlier_start_nobody_is_turned_away_for_want_of_time(before: Row) -> None:
    desk = restored(before)
    desk.on(READY)
    effects = desk.on(RunFailed(key=before.key, code="too_late", message="it takes 80 s"))
    reply = answer(effects)
    assert reply.error is not None
    assert (reply.status, reply.error.code) == ("expired", "too_late")
    assert reply.error.message == "it takes 80 s"


def test_running_goes_first_and_once_more() -> None:
    desk = restored(row("a"), row("b", "running", attempts=1, age_s=99, expires_in=1))
    effects = desk.on(READY)
    assert only(effects, MarkRunning) == [MarkRunning(key=request("b").key, attempts=2)]


def test_waiting_that_was_interrupted_goes_first_too_and_alone() -> None:
    desk = restored(row("a"), row("b", attempts=1, age_s=99, expires_in=1), row("c", attempts=1))
    order = []
    effects = desk.on(engine_ready(3))
    while started := only(effects, Submit):
        order.append([sent.request.id for sent in started])
        effects = desk.on(completed(started[0].request.key))
    assert order == [["b"], ["c"], ["a"]]


def test_running_twice_is_enough() -> None:
    desk = Desk()
    effects = desk.on(Restored(rows=(row("a", "running", attempts=2),)))
    reply = answer(effects)
    assert reply.error is not None
    assert (reply.status, reply.error.code) == ("failed", "engine_died")
    assert only(effects, Conclude)
    assert not only(effects, Submit)


def test_untaken_reply_goes_out_again() -> None:
    desk = Desk()
    (sent,) = desk.on(Restored(rows=(replied("a"),)))
    assert sent == SendReply(
        key=request("a").key,
        request_id="a",
        payload=b"{}",
        reply_to="a/b",
        correlation=b"c",
        resend=True,
    )
    assert kinds(desk.on(ReplyTaken(key=request("a").key))) == ["Settle"]
    assert desk.on(ReplyTaken(key=request("a").key)) == []


def test_done_is_remembered_for_the_rest_of_its_window() -> None:
    desk = restored(replied("young", "done", 1.0), replied("old", "done", 590.0))
    assert kinds(desk.ask(request("old"), dup=True)) == ["Acknowledge"]
    assert kinds(desk.ask(request("new"), dup=True, fingerprint="f-old")) == ["Acknowledge"]
    assert desk.on(Tick(), after=11) == [Forget(key=request("old").key)]
    assert desk.on(Tick(), after=600) == [Forget(key=request("young").key)]


def test_too_old_is_forgotten_at_once() -> None:
    desk = Desk()
    assert desk.on(Restored(rows=(replied("a", "done", 601.0),))) == [Forget(key=request("a").key)]


def test_a_row_with_nothing_in_it_is_passed_over() -> None:
    desk = restored(Row(key="x"))
    assert desk.standing().waiting == 0


def test_given_up_engine_answers_what_comes_back() -> None:
    desk = Desk(ready=False)
    desk.on(EngineLost(reason="no model"))
    reply = answer(desk.on(Restored(rows=(row("a"),))))
    assert reply.error is not None
    assert (reply.status, reply.error.code) == ("failed", "unavailable")


class TestLedgerThatCouldNotBeRead:
    def test_is_taken_up_when_it_comes_back(self) -> None:
        desk = Desk(ready=False)
        desk.on(LedgerLost())
        desk.ask(request("a"))
        effects = desk.on(LedgerBack(rows=(row("a", age_s=99), row("b"), replied("c"))))
        (rewrite,) = only(effects, Rewrite)
        assert {kept.key[-1]: kept.age_s for kept in rewrite.rows} == {"a": 0, "b": 5, "c": 1}
        assert [sent.request_id for sent in only(effects, SendReply)] == ["c"]

    def test_is_taken_up_once(self) -> None:
        desk = restored()
        desk.on(LedgerLost())
        (rewrite,) = desk.on(LedgerBack(rows=(row("a"),)))
        assert isinstance(rewrite, Rewrite)
        assert rewrite.rows == ()

    def test_the_interrupted_wait_for_those_that_run_but_the_urgent_do_not(self) -> None:
        desk = Desk(streams=3)
        desk.on(LedgerLost())
        desk.ask(request("a"))
        desk.ask(request("b"))
        effects = desk.on(LedgerBack(rows=(row("old", "running", attempts=1),)))
        effects += desk.ask(request("next"))
        assert not only(effects, Submit)
        assert only(desk.ask(request("now", priority=Priority.URGENT)), Submit)
        for name in ("a", "b"):
            assert not only(desk.on(completed(request(name).key)), Submit)
        effects = desk.on(completed(request("now").key))
        assert [sent.request.id for sent in only(effects, Submit)] == ["old"]
        assert only(desk.on(completed(request("old").key)), Submit)
