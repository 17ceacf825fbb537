"""Sessions as the dispatcher keeps them: in order, whole, and only what was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from edged.serving.conversations import Bounds
from edged.serving.effects import MarkRunning, MarkWaiting, SendReply, Submit
from edged.serving.events import (
    CancelAsked,
    Completed,
    Decoded,
    Drain,
    DrainOver,
    ForgetAsked,
    LimitsSet,
    Restored,
    RunFailed,
    Tick,
)
from edged.serving.request import Priority, Request, SessionUse
from edged.serving.row import Row
from tests.serving.make import (
    Desk,
    answer,
    completed,
    engine_lost,
    engine_ready,
    only,
    request,
    usage,
)

if TYPE_CHECKING:
    from edged.serving.effects import Effect
    from edged.serving.request import Reply

TOO_LONG = "prompt_too_long"


def asked(
    name: str, session: str | None = "s", prompt: str | None = None, **given: object
) -> Request:
    return request(name, session=session, prompt=prompt or f"ask {name}", **given)  # type: ignore[arg-type]


def ids(effects: list[Effect]) -> list[str]:
    return [sent.request.id for sent in only(effects, Submit)]


def said(submitted: Submit) -> list[str]:
    return [message.content for message in submitted.request.messages]


def started(effects: list[Effect]) -> Submit:
    (submitted,) = only(effects, Submit)
    return submitted


def finish(desk: Desk, name: str, text: str = "", reason: str = "stop") -> Reply:
    key = asked(name).key
    if text:
        desk.on(Decoded(key=key, text=text, tokens=1))
    return answer(desk.on(completed(key, reason)))


def talk(desk: Desk, name: str, text: str) -> Reply:
    desk.ask(asked(name))
    return finish(desk, name, text)


def next_prompt(desk: Desk, name: str = "next") -> list[str]:
    return said(started(desk.ask(asked(name))))


def test_a_request_goes_on_where_the_last_one_ended() -> None:
    desk = Desk()
    replies = [talk(desk, "a", "one"), talk(desk, "b", "two")]
    assert [reply.session for reply in replies] == [
        SessionUse(id="s", turns=0),
        SessionUse(id="s", turns=1),
    ]
    assert next_prompt(desk) == ["ask a", "one", "ask b", "two", "ask next"]
    assert msgspec.json.encode(replies[1]).count(b'"session":{"id":"s","turns":1}') == 1


def test_who_has_no_session_hears_and_says_nothing_of_it() -> None:
    desk = Desk()
    talk(desk, "a", "one")
    assert said(started(desk.ask(asked("b", None)))) == ["ask b"]
    reply = finish(desk, "b", "two")
    assert reply.session is None
    assert next_prompt(desk) == ["ask a", "one", "ask next"]


def test_a_persona_stays_with_its_fields_until_another_text_comes() -> None:
    desk = Desk()
    seen = []
    for name, fields in (
        ("a", {"system": "butler", "persona": "butler"}),
        ("b", {}),
        ("c", {"system": "plain"}),
        ("d", {}),
    ):
        submitted = started(desk.ask(asked(name, **fields))).request
        seen.append((submitted.messages[0].content, submitted.persona))
        finish(desk, name)
    assert seen == [("butler", "butler")] * 2 + [("plain", None)] * 2


def test_only_the_turn_itself_is_written_to_the_disk() -> None:
    desk = Desk()
    talk(desk, "a", "one")
    desk.ask(asked("b"))
    (row,) = [row for row in desk.dispatcher._state.rows(desk.now) if row.request]
    assert row.request is not None
    assert [message.content for message in row.request.messages] == ["ask b"]


def test_requests_of_a_session_run_in_order_and_are_overtaken_by_others() -> None:
    desk = Desk(streams=2)
    assert ids(desk.ask(asked("a"))) == ["a"]
    assert ids(desk.ask(asked("b"))) == []
    assert ids(desk.ask(asked("u", priority=Priority.URGENT))) == []
    assert ids(desk.ask(asked("other", "t"))) == ["other"]
    effects = desk.on(completed(asked("a").key))
    assert ids(effects) == ["b"]
    assert said(started(effects)) == ["ask a", "", "ask b"]
    assert ids(desk.on(completed(asked("b").key))) == ["u"]


def test_nobody_is_looked_for_again_before_something_moves() -> None:
    desk = Desk(streams=2)
    desk.ask(asked("a"))
    desk.ask(asked("b"))
    state = desk.dispatcher._state
    assert not state.stirred
    desk.on(Decoded(key=asked("a").key, text="x", tokens=1))
    assert not state.stirred
    assert ids(desk.ask(asked("c", None))) == ["c"]


def test_who_overtakes_all_who_wait_is_not_sent_away_for_them() -> None:
    desk = Desk(streams=2)
    talk(desk, "served", "one")
    for number in range(5):
        desk.ask(asked(f"r{number}"))
    desk.on(Tick(), after=1)
    newcomer = request("q", answer_within=5)
    assert ids(desk.ask(newcomer)) == ["q"]


def test_cancel_of_the_first_lets_the_second_start_with_what_was_before() -> None:
    desk = Desk()
    talk(desk, "a", "one")
    desk.ask(asked("b"))
    desk.on(Decoded(key=asked("b").key, text="half an answ", tokens=1))
    desk.ask(asked("c"))
    desk.on(CancelAsked(id="b"))
    effects = desk.on(completed(asked("b").key, "cancelled"))
    assert answer(effects).session == SessionUse(id="s", turns=1)
    assert said(started(effects)) == ["ask a", "one", "ask c"]


def test_cancel_of_one_that_waits_leaves_the_line() -> None:
    desk = Desk()
    for name in "abc":
        desk.ask(asked(name))
    assert answer(desk.on(CancelAsked(id="b"))).session is None
    assert said(started(desk.on(completed(asked("a").key)))) == ["ask a", "", "ask c"]


def test_one_that_expires_leaves_the_line() -> None:
    desk = Desk()
    desk.ask(asked("a"))
    desk.ask(asked("b", expires_in=1.0))
    desk.ask(asked("c"))
    assert answer(desk.on(Tick(), after=2)).status == "expired"
    assert ids(desk.on(completed(asked("a").key))) == ["c"]


@pytest.mark.parametrize("code", ["bad_template", TOO_LONG])
def test_a_failure_leaves_it_as_it_was(code: str) -> None:
    desk = Desk()
    desk.ask(asked("a"))
    failure = RunFailed(key=asked("a").key, code=code, message="no")
    assert answer(desk.on(failure)).status != "ok"
    assert desk.standing().sessions == 0
    assert next_prompt(desk) == ["ask next"]


def test_an_answer_that_was_cut_is_kept_as_far_as_it_goes() -> None:
    desk = Desk()
    desk.ask(asked("a"))
    assert finish(desk, "a", "half", "length").status == "ok"
    assert next_prompt(desk) == ["ask a", "half", "ask next"]


def test_a_choice_is_an_answer_and_none_of_them_is_not() -> None:
    desk = Desk()
    for name, scores in (("a", (-0.1, -3.0)), ("b", (-0.7, -0.7))):
        desk.ask(asked(name, choices=("on", "off"), none_of=0.6))
        done = Completed(key=asked(name).key, finish_reason="stop", usage=usage(), scores=scores)
        assert answer(desk.on(done)).status == "ok"
    assert next_prompt(desk) == ["ask a", "on", "ask next"]


def test_an_answer_that_obeys_a_schema_is_kept_as_it_was_written() -> None:
    desk = Desk()
    desk.ask(asked("a", schema='{"type":"boolean"}'))
    assert finish(desk, "a", "true").text is None
    assert next_prompt(desk) == ["ask a", "true", "ask next"]


def test_a_useless_answer_is_not_kept() -> None:
    desk = Desk()
    desk.ask(asked("a", schema='{"type":"boolean"}'))
    assert finish(desk, "a", "tru").status == "failed"
    assert next_prompt(desk) == ["ask next"]


def test_forgetting_while_it_runs_wins() -> None:
    desk = Desk()
    talk(desk, "a", "one")
    desk.ask(asked("b"))
    desk.ask(asked("c"))
    assert desk.dispatcher.sessions("s") == 1
    assert desk.on(ForgetAsked(id="s")) == []
    assert desk.dispatcher.sessions("s") == 0
    effects = desk.on(completed(asked("b").key))
    assert answer(effects).session == SessionUse(id="s", turns=1), "what it saw"
    assert said(started(effects)) == ["ask c"]
    assert finish(desk, "c").session == SessionUse(id="s", turns=0)


def test_forgetting_all_forgets_all() -> None:
    desk = Desk()
    talk(desk, "a", "one")
    desk.ask(asked("b", "t"))
    finish(desk, "b")
    assert (desk.standing().sessions, desk.dispatcher.sessions(None)) == (2, 2)
    desk.on(ForgetAsked(id=None))
    assert desk.standing().sessions == 0


def test_time_alone_forgets() -> None:
    desk = Desk(sessions=Bounds(max_age_s=60))
    talk(desk, "a", "one")
    desk.on(Tick(), after=60)
    assert desk.standing().sessions == 1
    desk.on(Tick(), after=1)
    assert desk.standing().sessions == 0


def test_an_owner_may_change_the_bounds() -> None:
    desk = Desk()
    for bounds in (Bounds(capacity=1), None):
        desk.on(LimitsSet(capacity=9, per_client=9, sessions=bounds))
    for name in "ab":
        desk.ask(asked(name, name))
        finish(desk, name)
    assert desk.standing().sessions == 1


def test_after_a_restart_nothing_is_remembered_and_the_reply_says_so() -> None:
    desk = Desk(ready=False)
    rows = [Row(key=asked(name).key, request=asked(name), age_s=5.0) for name in "ab"]
    desk.on(Restored(rows=tuple(rows)))
    assert ids(desk.on(engine_ready(2))) == ["a"]
    assert finish(desk, "a", "one").session == SessionUse(id="s", turns=0)
    assert finish(desk, "b", "two").session == SessionUse(id="s", turns=1)


def test_a_death_leaves_it_as_it_was_and_the_line_in_order() -> None:
    desk = Desk(streams=2)
    talk(desk, "a", "one")
    desk.ask(asked("b"))
    desk.ask(asked("c"))
    desk.ask(asked("other", "t"))
    lost = desk.on(engine_lost(asked("b").key, asked("other").key))
    assert [mark.key for mark in only(lost, MarkWaiting)] == [asked("b").key, asked("other").key]
    effects = desk.on(engine_ready(2))
    assert said(started(effects)) == ["ask a", "one", "ask b"]
    finish(desk, "b", "two")
    effects = desk.on(completed(asked("other").key))
    assert said(started(effects)) == ["ask a", "one", "ask b", "two", "ask c"]


def test_what_is_cut_by_the_end_of_the_daemon_leaves_it_as_it_was() -> None:
    desk = Desk()
    talk(desk, "a", "one")
    desk.ask(asked("b"))
    desk.on(Drain())
    desk.on(DrainOver())
    assert desk.standing().sessions == 1


class TestTooLong:
    """Nobody is refused for what was said before."""

    def fail(self, desk: Desk, name: str) -> list[Effect]:
        key = asked(name).key
        return desk.on(RunFailed(key=key, code=TOO_LONG, message="the prompt has 9 tokens"))

    def desk(self) -> Desk:
        desk = Desk()
        for name in "abc":
            talk(desk, name, name.upper())
        desk.ask(asked("q"))
        return desk

    def test_earlier_turns_give_way_until_there_are_none(self) -> None:
        desk = self.desk()
        effects = self.fail(desk, "q")
        assert said(started(effects)) == ["ask c", "C", "ask q"]
        assert [mark.attempts for mark in only(effects, MarkRunning)] == [1], "it never began"
        assert said(started(self.fail(desk, "q"))) == ["ask q"]
        reply = answer(self.fail(desk, "q"))
        assert (reply.status, reply.session) == ("rejected", SessionUse(id="s", turns=0))

    def test_what_gave_way_is_gone_once_it_is_answered(self) -> None:
        desk = self.desk()
        self.fail(desk, "q")
        assert finish(desk, "q", "Q").session == SessionUse(id="s", turns=1)
        assert next_prompt(desk) == ["ask c", "C", "ask q", "Q", "ask next"]

    def test_a_prompt_that_is_too_long_by_itself_costs_the_session_nothing(self) -> None:
        desk = self.desk()
        for _ in range(3):
            self.fail(desk, "q")
        assert next_prompt(desk) == ["ask a", "A", "ask b", "B", "ask c", "C", "ask next"]

    def test_one_that_is_to_be_cancelled_is_not_tried_again(self) -> None:
        desk = self.desk()
        desk.on(CancelAsked(id="q"))
        assert len(only(self.fail(desk, "q"), SendReply)) == 1

    def test_a_stopping_daemon_does_not_begin_anew(self) -> None:
        desk = self.desk()
        desk.on(Drain())
        assert answer(self.fail(desk, "q")).status == "rejected"
