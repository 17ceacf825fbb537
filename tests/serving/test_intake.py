"""Each delivery is acknowledged, each request runs once, each refusal has its reason."""

from __future__ import annotations

import pytest

from edged.serving.effects import Accept, Acknowledge, Finished, SendReply, Submit
from edged.serving.events import (
    Completed,
    Drain,
    EngineLost,
    PauseSet,
    Refused,
    ReplyTaken,
    Tick,
)
from edged.serving.request import BadRequest
from edged.serving.row import Row
from tests.serving.make import Desk, answer, completed, kinds, only, request, ticket


def test_free_slot_starts_at_once() -> None:
    asked = request("q", "lamp")
    effects = Desk().ask(asked, fingerprint="f")
    assert kinds(effects) == ["Accept", "Acknowledge", "MarkRunning", "Submit"]
    assert only(effects, Accept)[0].row == Row(key=asked.key, request=asked, fingerprint="f")
    assert only(effects, Acknowledge)[0].ticket == ticket(1)


def test_engine_that_starts_lets_wait() -> None:
    desk = Desk(ready=False)
    assert kinds(desk.ask(request("q"))) == ["Accept", "Acknowledge", "SendProgress"]
    desk.on(EngineLost(reason="exit 1", during="load", retry_in=1.0))
    assert kinds(desk.ask(request("r"))) == ["Accept", "Acknowledge", "SendProgress"]


class TestSameAgain:
    def test_in_progress_is_one_run_and_one_reply(self) -> None:
        desk = Desk()
        desk.ask(request("q"))
        assert kinds(desk.ask(request("q"))) == ["Acknowledge"]
        assert kinds(desk.ask(request("q"), dup=True)) == ["Acknowledge"]
        assert len(only(desk.on(completed(request("q").key)), SendReply)) == 1

    def test_finished_is_sent_again_unchanged(self) -> None:
        desk = Desk()
        desk.ask(request("q", "lamp"))
        (first,) = only(desk.on(completed(request("q", "lamp").key)), SendReply)
        effects = desk.ask(request("q", "lamp"))
        assert kinds(effects) == ["SendReply", "Acknowledge"]
        (again,) = only(effects, SendReply)
        assert (again.payload, again.reply_to, again.resend) == (
            first.payload,
            "answers/lamp",
            True,
        )

    def test_finished_is_only_acknowledged_to_the_broker(self) -> None:
        desk = Desk()
        desk.ask(request("q"))
        desk.on(completed(request("q").key))
        assert kinds(desk.ask(request("q"), dup=True)) == ["Acknowledge"]

    def test_finished_long_ago_is_new(self) -> None:
        desk = Desk()
        desk.ask(request("q"))
        desk.on(completed(request("q").key))
        desk.on(ReplyTaken(key=request("q").key))
        assert kinds(desk.on(Tick(), after=601)) == ["Forget"]
        assert only(desk.ask(request("q")), Submit)

    def test_same_id_of_another_client_is_another_request(self) -> None:
        desk = Desk(streams=2)
        desk.ask(request("q", "a"))
        assert only(desk.ask(request("q", "b")), Submit)

    def test_without_an_id_the_delivery_is_known(self) -> None:
        desk = Desk()
        desk.ask(request("fresh1"), fingerprint="f")
        assert kinds(desk.ask(request("fresh2"), dup=True, fingerprint="f")) == ["Acknowledge"]
        # The window of the delivery is over, yet it still runs.
        desk.on(Tick(), after=10_000)
        assert kinds(desk.ask(request("fresh3"), dup=True, fingerprint="f")) == ["Acknowledge"]
        desk.on(completed(request("fresh1").key))
        assert kinds(desk.ask(request("fresh4"), dup=True, fingerprint="f")) == ["Acknowledge"]
        # Somebody means it: the same bytes without DUP are a new request.
        assert only(desk.ask(request("fresh5"), fingerprint="f"), Accept)

    def test_dup_of_something_never_seen_is_new(self) -> None:
        desk = Desk(streams=3)
        assert only(desk.ask(request("q"), dup=True, fingerprint="f"), Submit)
        assert only(desk.ask(request("r"), dup=True), Submit)


class TestRefusal:
    def full(self) -> Desk:
        desk = Desk(capacity=1)
        desk.ask(request("running"))
        desk.ask(request("waiting"))
        return desk

    def test_tells_first_and_acknowledges_then(self) -> None:
        effects = self.full().ask(request("q", "lamp"), fingerprint="f")
        assert kinds(effects) == ["SendReply", "Acknowledge", "Finished"]
        (sent,) = only(effects, SendReply)
        assert (sent.key, sent.request_id, sent.reply_to, sent.correlation) == (
            None,
            "q",
            "answers/lamp",
            b"q",
        )
        reply = answer(effects)
        assert reply.status == "rejected"
        assert reply.error is not None
        assert (reply.error.code, reply.error.retry_after_s) == ("busy", 45.0)
        assert only(effects, Finished)[0].code == "busy"

    def test_redelivered_is_not_told_again(self) -> None:
        desk = self.full()
        desk.ask(request("q"), fingerprint="f")
        assert kinds(desk.ask(request("q"), dup=True, fingerprint="f")) == ["Acknowledge"]

    def test_sent_again_is_decided_anew(self) -> None:
        desk = self.full()
        desk.ask(request("q"), fingerprint="f")
        desk.on(completed(request("running").key))
        assert only(desk.ask(request("q"), fingerprint="f2"), Accept)

    @pytest.mark.parametrize(
        ("event", "code"),
        [
            (PauseSet(paused=True), "paused"),
            (Drain(), "shutting_down"),
            (EngineLost(reason="SIGILL", during="load"), "unavailable"),
        ],
    )
    def test_closed(self, event: PauseSet | Drain | EngineLost, code: str) -> None:
        desk = Desk()
        desk.on(event)
        reply = answer(desk.ask(request("q")))
        assert reply.error is not None
        assert (reply.status, reply.error.code) == ("rejected", code)

    def test_per_client(self) -> None:
        desk = Desk(per_client=1, capacity=9)
        for name in ("r", "w"):
            desk.ask(request(name, "loud"))
        reply = answer(desk.ask(request("x", "loud")))
        assert reply.error is not None
        assert reply.error.code == "too_many"
        assert only(desk.ask(request("q", "quiet")), Accept)


class TestNonsense:
    BAD = BadRequest(
        id="fresh",
        client="lamp",
        code="bad_json",
        message="what\x1b[2J",
        reply_to="answers/lamp",
        correlation=b"c",
    )

    def event(self, *, dup: bool = False) -> Refused:
        return Refused(bad=self.BAD, ticket=ticket(7), dup=dup, fingerprint="f")

    def test_is_answered_with_the_reason(self) -> None:
        effects = Desk().on(self.event())
        assert kinds(effects) == ["SendReply", "Acknowledge", "Finished"]
        reply = answer(effects)
        assert reply.error is not None
        assert (reply.status, reply.error.code) == ("rejected", "bad_json")
        assert reply.error.message == "what\\x1b[2J"
        assert only(effects, Finished)[0].client == "lamp"

    def test_redelivered_is_only_acknowledged(self) -> None:
        desk = Desk()
        desk.on(self.event())
        assert kinds(desk.on(self.event(dup=True))) == ["Acknowledge"]
        assert only(desk.on(self.event()), SendReply)


def test_unconfirmed_replies_close_the_door() -> None:
    desk = Desk()
    for count in range(1024):
        desk.ask(request(f"q{count}"))
        desk.on(
            Completed(
                key=request(f"q{count}").key,
                finish_reason="stop",
                usage=completed("").usage,
            )
        )
    reply = answer(desk.ask(request("one-more")))
    assert reply.error is not None
    assert reply.error.code == "busy"
    assert desk.standing().unconfirmed == 1024
