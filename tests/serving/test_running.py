"""What is told about a run while it runs."""

from __future__ import annotations

import pytest

from edged.serving.deadlines import HANDOVER_S
from edged.serving.effects import CancelRun, Effect, SendDelta, SendProgress, Submit
from edged.serving.events import CancelAsked, Decoded, PauseSet, Prefilled
from edged.serving.request import Priority
from edged.serving.running import MAX_TOKEN_CHARS
from tests.serving.make import Desk, answer, completed, engine_ready, kinds, only, request

KEY = request("q").key


def started(*, stream: bool = True, max_tokens: int = 16) -> Desk:
    desk = Desk()
    desk.ask(request("q", stream=stream, max_tokens=max_tokens))
    return desk


def decoded(text: str, tokens: int = 1) -> Decoded:
    return Decoded(key=KEY, text=text, tokens=tokens)


def test_deltas_are_numbered_and_join_to_the_text() -> None:
    desk = started()
    effects = [effect for text in ("Hel", "", "lo", " \ud800") for effect in desk.on(decoded(text))]
    effects += desk.on(completed(KEY))
    deltas = only(effects, SendDelta)
    assert [(delta.seq, delta.delta, delta.done) for delta in deltas] == [
        (0, "Hel", False),
        (1, "lo", False),
        (2, " ?", False),
        (3, "", True),
    ]
    assert answer(effects).text == "Hello ?"
    assert {(delta.key, delta.id) for delta in deltas} == {(KEY, "q")}


def test_no_stream_no_deltas() -> None:
    desk = started(stream=False)
    effects = desk.on(decoded("Hello")) + desk.on(completed(KEY))
    assert not only(effects, SendDelta)
    assert answer(effects).text == "Hello"


def test_prefill_tells_percent_at_most_once_a_second() -> None:
    desk = started()
    told = [
        only(desk.on(Prefilled(key=KEY, done=done, total=8), after=0.5), SendProgress)
        for done in (1, 2, 3, 8, 9)
    ]
    assert [[(p.phase, p.fields) for p in each] for each in told] == [
        [("prefill", {"percent": 12.5})],
        [],
        [("prefill", {"percent": 37.5})],
        [],
        [("prefill", {"percent": 100.0})],
    ]
    assert not desk.on(Prefilled(key=KEY, done=0, total=0))


def test_prefill_tells_what_is_planned() -> None:
    desk = started()
    (told,) = only(desk.on(Prefilled(key=KEY, done=0, total=8, planned=40)), SendProgress)
    assert told.fields == {"percent": 0.0, "planned_tokens": 40.0}


def test_the_engine_is_told_what_is_left_of_the_time() -> None:
    desk = Desk(ready=False)
    desk.ask(request("q", answer_within=10))
    (sent,) = only(desk.on(engine_ready(), after=4), Submit)
    assert sent.within_s == pytest.approx(6 - HANDOVER_S)
    (sent,) = only(Desk().ask(request("q")), Submit)
    assert sent.within_s is None


def test_decode_tells_the_rate_at_most_once_a_second() -> None:
    desk = started()
    assert kinds(desk.on(decoded("a"))) == ["SendDelta"]
    assert kinds(desk.on(decoded("b", 4), after=0.5)) == ["SendDelta"]
    effects = desk.on(decoded("c", 3), after=0.5)
    assert only(effects, SendProgress)[0].fields == {
        "tokens": 8.0,
        "predicted_per_second": 8.0,
    }
    assert kinds(desk.on(decoded("d"), after=0.5)) == ["SendDelta"]


def test_news_of_others_is_ignored() -> None:
    desk = started()
    for event in (
        Prefilled(key="x", done=1, total=2),
        Decoded(key="x", text="a", tokens=1),
        completed("x"),
    ):
        assert desk.on(event) == []


def test_more_text_than_tokens_can_have_is_cut() -> None:
    desk = started(max_tokens=1)
    desk.on(decoded("a" * MAX_TOKEN_CHARS))
    assert desk.on(decoded("b")) == [CancelRun(key=KEY)]
    assert desk.on(decoded("c")) == []
    reply = answer(desk.on(completed(KEY, "cancelled")))
    assert (reply.status, reply.finish_reason) == ("ok", "length")
    assert reply.text == "a" * MAX_TOKEN_CHARS


def test_engine_is_asked_once_to_stop() -> None:
    desk = started(max_tokens=1)
    assert desk.on(CancelAsked(id="q")) == [CancelRun(key=KEY)]
    assert desk.on(CancelAsked(id="q")) == []
    assert desk.on(decoded("b" * 999)) == []
    assert answer(desk.on(completed(KEY, "cancelled"))).status == "cancelled"


def ids(effects: list[Effect]) -> list[str]:
    return [sent.request.id for sent in only(effects, Submit)]


def test_as_many_run_as_the_engine_computes() -> None:
    desk = Desk(streams=2)
    assert [ids(desk.ask(request(name))) for name in "abc"] == [["a"], ["b"], []]
    assert ids(desk.on(completed(request("a").key))) == ["c"]
    desk = Desk(ready=False)
    for name in "abc":
        desk.ask(request(name))
    assert ids(desk.on(engine_ready(2))) == ["a", "b"]


def test_an_urgent_one_waits_for_no_slot_but_a_second_one_does() -> None:
    desk = Desk(streams=2)
    for name in "abc":
        desk.ask(request(name))
    urgent = [request(f"u{number}", priority=Priority.URGENT) for number in range(2)]
    assert [ids(desk.ask(asked)) for asked in urgent] == [["u0"], []]
    assert desk.standing().running == 3
    assert ids(desk.on(completed(request("a").key))) == ["u1"]
    assert ids(desk.on(completed(request("b").key))) == []
    assert ids(desk.on(completed(urgent[0].key))) == ["c"]


def test_an_urgent_one_in_a_free_slot_leaves_the_extra_one_to_the_next() -> None:
    desk = Desk()
    urgent = [request(f"u{number}", priority=Priority.URGENT) for number in range(2)]
    assert [ids(desk.ask(asked)) for asked in urgent] == [["u0"], ["u1"]]
    assert ids(desk.ask(request("n"))) == []


def test_an_urgent_one_does_not_start_while_paused() -> None:
    desk = Desk(ready=False)
    desk.ask(request("u", priority=Priority.URGENT))
    desk.on(PauseSet(paused=True))
    assert ids(desk.on(engine_ready())) == []
    assert ids(desk.on(PauseSet(paused=False))) == ["u"]
