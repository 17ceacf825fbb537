"""Answers that must end in time: sent away, waiting, running, and after a death."""

from __future__ import annotations

import pytest

from edged.serving import deadlines
from edged.serving.deadlines import HANDOVER_S
from edged.serving.effects import Submit
from edged.serving.events import Decoded, Drain, PauseSet, RunFailed, Tick
from edged.serving.request import Priority
from edged.serving.running import Job
from tests.serving.make import Desk, answer, completed, engine_lost, engine_ready, only, request

KEY = request("q").key
SOON_S = 10.0
ENGINE_S = SOON_S - HANDOVER_S


@pytest.mark.parametrize(
    ("expires_in", "answer_within", "begins", "goes_on"),
    [
        (None, None, None, None),
        (5.0, None, 105.0, None),
        (5.0, SOON_S, 105.0, 100 + ENGINE_S),
        (50.0, SOON_S, 100 + ENGINE_S, 100 + ENGINE_S),
        (None, SOON_S, 100 + ENGINE_S, 100 + ENGINE_S),
    ],
)
def test_the_latest_start(
    expires_in: float | None,
    answer_within: float | None,
    begins: float | None,
    goes_on: float | None,
) -> None:
    asked = request("q", expires_in=expires_in, answer_within=answer_within)
    job = Job(request=asked, accepted_at=100.0)
    assert deadlines.start_by(job) == begins
    assert deadlines.start_by(job, began=True) == goes_on


def test_what_is_left_is_never_less_than_nothing() -> None:
    job = Job(request=request("q", answer_within=SOON_S), accepted_at=100.0)
    assert deadlines.within_s(job, 103.0) == pytest.approx(ENGINE_S - 3)
    assert deadlines.within_s(job, 999.0) == 0.0
    assert deadlines.within_s(Job(request=request("q"), accepted_at=100.0), 999.0) is None
    assert deadlines.is_too_late(job, 100 + ENGINE_S + 0.1)
    assert not deadlines.is_too_late(job, 100 + ENGINE_S)


def queue(*, served: bool) -> Desk:
    """One that runs and three that wait, of 30 s each as far as is known."""
    desk = Desk()
    if served:
        desk.ask(request("first"))
        desk.on(completed(request("first").key), after=30.0)
    for name in ("run", "a", "b", "c"):
        desk.ask(request(name))
    return desk


def test_who_comes_much_too_late_is_sent_away_with_the_numbers() -> None:
    reply = answer(queue(served=True).ask(request("q", answer_within=59)))
    assert reply.error is not None
    assert (reply.status, reply.error.code) == ("rejected", "too_late")
    assert reply.error.message == "it would start in about 120.0 s, and answer_within is 59 s"
    assert reply.error.retry_after_s == 61.0


def test_who_may_be_in_time_waits() -> None:
    desk = queue(served=True)
    desk.ask(request("q", answer_within=61))
    assert desk.standing().waiting == 4
    assert only(desk.ask(request("u", answer_within=1, priority=Priority.URGENT)), Submit)


def test_before_any_run_nobody_is_sent_away() -> None:
    desk = queue(served=False)
    desk.ask(request("q", answer_within=1))
    assert desk.standing().waiting == 4


def test_a_free_place_is_no_wait() -> None:
    desk = Desk()
    desk.ask(request("first"))
    desk.on(completed(request("first").key), after=300.0)
    assert only(desk.ask(request("q", answer_within=1)), Submit)


def test_who_waits_too_long_is_told() -> None:
    desk = queue(served=False)
    desk.ask(request("q", answer_within=SOON_S, expires_in=60))
    assert not desk.on(Tick(), after=ENGINE_S)
    reply = answer(desk.on(Tick(), after=0.1))
    assert reply.error is not None
    assert (reply.status, reply.error.code) == ("expired", "too_late")
    assert reply.error.message == "no answer within 10 s"


def test_the_moment_at_which_somebody_will_be_late_is_known() -> None:
    desk = queue(served=False)
    assert desk.standing().expires_at is None
    desk.ask(request("q", answer_within=SOON_S))
    assert desk.standing().expires_at == pytest.approx(desk.now + ENGINE_S)
    desk.on(Drain())
    assert desk.standing().expires_at is None, "it is left to the next start"


def test_who_should_have_started_sooner_has_expired() -> None:
    desk = queue(served=False)
    desk.ask(request("q", answer_within=SOON_S, expires_in=3))
    reply = answer(desk.on(Tick(), after=3.1))
    assert reply.error is not None
    assert (reply.error.code, reply.error.message) == ("expired", "not started within 3 s")


def test_what_can_not_be_read_in_time_is_refused_in_the_words_of_the_engine() -> None:
    desk = Desk()
    desk.ask(request("q", answer_within=SOON_S))
    reply = answer(desk.on(RunFailed(key=KEY, code="too_late", message="it takes 80 s")))
    assert reply.error is not None
    assert (reply.status, reply.error.code) == ("rejected", "too_late")
    assert reply.error.message == "it takes 80 s"


def two_at_work() -> Desk:
    desk = Desk(streams=2)
    desk.ask(request("other"))
    desk.ask(request("q", answer_within=SOON_S))
    for name in ("other", "q"):
        desk.on(Decoded(key=request(name).key, text="It", tokens=1))
    return desk


def test_after_a_death_it_has_what_is_left_of_its_time() -> None:
    desk = two_at_work()
    desk.on(engine_lost(request("other").key, KEY), after=4)
    effects = desk.on(engine_ready(2))
    effects += desk.on(completed(request("other").key), after=1)
    sent = {it.request.id: it.within_s for it in only(effects, Submit)}
    assert sent == {"other": None, "q": pytest.approx(ENGINE_S - 5)}


def test_after_a_death_it_does_not_wait_longer_than_its_time() -> None:
    desk = two_at_work()
    desk.on(engine_lost(request("other").key, KEY), after=4)
    reply = answer(desk.on(Tick(), after=7))
    assert (reply.id, reply.status) == ("q", "expired")


def test_the_time_of_who_is_tried_once_more_went_by() -> None:
    desk = two_at_work()
    desk.on(engine_lost(request("other").key, KEY))
    desk.on(engine_ready(2))
    desk.on(completed(request("other").key))
    reply = answer(desk.on(RunFailed(key=KEY, code="too_late", message="it takes 80 s")))
    assert (reply.id, reply.status) == ("q", "expired")


def test_a_pause_does_not_stop_the_clock() -> None:
    desk = Desk(ready=False)
    desk.ask(request("q", answer_within=SOON_S))
    desk.on(PauseSet(paused=True))
    assert answer(desk.on(Tick(), after=SOON_S)).status == "expired"
