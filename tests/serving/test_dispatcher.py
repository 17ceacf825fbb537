"""Pause, cancel, expiry, stopping, and a ledger that comes and goes."""

from __future__ import annotations

from msgspec.structs import replace

from edged.serving.effects import (
    LEDGER_OPS,
    Accept,
    Finished,
    Forget,
    Noted,
    Rewrite,
    SendReply,
    Submit,
)
from edged.serving.events import (
    CancelAsked,
    Drain,
    EngineChanging,
    HouseKnown,
    LedgerBack,
    LedgerLost,
    LimitsSet,
    Paced,
    PauseSet,
    ReplyTaken,
    Tick,
)
from edged.serving.request import Priority
from tests.serving.make import Desk, answer, completed, engine_ready, kinds, only, request

KEY = request("q").key


def test_standing() -> None:
    desk = Desk()
    desk.ask(request("run"))
    desk.ask(request("wait"))
    desk.on(PauseSet(paused=True))
    desk.now += 3
    standing = desk.standing()
    assert (standing.waiting, standing.running, standing.oldest_wait_s) == (1, 1, 3)
    assert (standing.ready, standing.paused, standing.draining) == (True, True, False)
    assert not standing.memory_only


def test_pause_holds_back_and_lets_run() -> None:
    desk = Desk()
    for name in ("run", "wait"):
        desk.ask(request(name))
    desk.on(PauseSet(paused=True))
    assert not only(desk.on(completed(request("run").key)), Submit)
    assert only(desk.on(PauseSet(paused=False)), Submit)[0].request.id == "wait"


def test_another_capacity_holds_for_newcomers_alone() -> None:
    desk = Desk()
    for name in ("run", "wait", "also"):
        desk.ask(request(name))
    desk.on(LimitsSet(capacity=2, per_client=2))
    reply = answer(desk.ask(request("more")))
    assert reply.error is not None
    assert reply.error.code in {"busy", "too_many"}
    assert desk.standing().waiting == 2
    desk.on(LimitsSet(capacity=3, per_client=3))
    assert only(desk.ask(request("again")), Accept)


def test_heat_refuses_by_priority_and_lets_run_and_wait() -> None:
    desk = Desk()
    for name in ("run", "wait"):
        desk.ask(request(name))
    desk.on(Paced(refused=(Priority.BACKGROUND, Priority.NORMAL), cool_in_s=40.0))
    for name, priority in (("bg", Priority.BACKGROUND), ("normal", Priority.NORMAL)):
        reply = answer(desk.ask(request(name, priority=priority)))
        assert reply.error is not None
        assert (reply.status, reply.error.code) == ("rejected", "too_hot")
        assert reply.error.retry_after_s == 40.0
    (started,) = only(desk.on(completed(request("run").key)), Submit)
    assert started.request.id == "wait"
    assert only(desk.ask(request("now", priority=Priority.URGENT)), Accept)
    desk.on(Paced())
    assert only(desk.ask(request("later", priority=Priority.BACKGROUND)), Accept)


def test_a_change_of_model_lets_run_and_holds_back_until_the_engine_is_ready() -> None:
    desk = Desk()
    for name in ("run", "wait"):
        desk.ask(request(name))
    desk.on(EngineChanging())
    assert not only(desk.on(completed(request("run").key)), Submit)
    assert (desk.standing().running, desk.standing().waiting) == (0, 1)
    assert only(desk.ask(request("late")), Accept)
    assert only(desk.on(engine_ready()), Submit)[0].request.id == "wait"


class TestCancel:
    def test_waiting_is_answered_at_once(self) -> None:
        desk = Desk(ready=False)
        desk.ask(request("q"))
        desk.now += 2
        reply = answer(desk.on(CancelAsked(id="q")))
        assert (reply.status, reply.finish_reason, reply.text) == ("cancelled", "cancelled", None)
        assert reply.timings is not None
        assert reply.timings.queue_ms == 2000
        assert not only(desk.on(engine_ready()), Submit)

    def test_all_clients_with_this_id(self) -> None:
        desk = Desk(ready=False)
        for client in ("a", "b"):
            desk.ask(request("q", client))
        assert len(only(desk.on(CancelAsked(id="q")), SendReply)) == 2

    def test_unknown_is_noted_safely(self) -> None:
        (noted,) = Desk().on(CancelAsked(id="\n" * 99))
        assert isinstance(noted, Noted)
        assert noted.text.isprintable()
        assert len(noted.text) < 200


class TestExpiry:
    def test_waiting_is_told(self) -> None:
        desk = Desk(ready=False)
        desk.ask(request("q", expires_in=5.0))
        assert desk.on(Tick(), after=5.0) == []
        effects = desk.on(Tick(), after=0.1)
        reply = answer(effects)
        assert reply.error is not None
        assert (reply.status, reply.error.message) == ("expired", "not started within 5 s")
        assert only(effects, Finished)[0].code == "expired"

    def test_now_or_never(self) -> None:
        assert only(Desk().ask(request("q", expires_in=0.0)), Submit)

    def test_started_is_safe(self) -> None:
        desk = Desk()
        desk.ask(request("q", expires_in=5.0))
        assert desk.on(Tick(), after=60.0) == []


class TestDrain:
    def waiting(self) -> Desk:
        desk = Desk()
        desk.ask(request("run"))
        desk.ask(request("wait", expires_in=1.0))
        return desk

    def test_waiting_stays_for_the_next_start(self) -> None:
        desk = self.waiting()
        assert desk.on(Drain()) == []
        assert desk.on(Tick(), after=60) == []
        assert not only(desk.on(completed(request("run").key)), Submit)
        assert desk.standing().waiting == 1

    def test_without_a_ledger_the_waiting_are_told(self) -> None:
        for order in ((LedgerLost(), Drain()), (Drain(), LedgerLost())):
            desk = self.waiting()
            effects = [effect for event in order for effect in desk.on(event)]
            reply = answer(effects)
            assert reply.error is not None
            assert (reply.id, reply.status, reply.error.code) == (
                "wait",
                "rejected",
                "shutting_down",
            )


class TestLedger:
    def test_lost_means_memory_only(self) -> None:
        desk = Desk()
        desk.ask(request("run"))
        desk.on(LedgerLost())
        effects = desk.ask(request("wait"))
        assert kinds(effects) == ["Acknowledge", "SendProgress"]
        effects = desk.on(completed(request("run").key))
        assert kinds(effects) == ["SendDelta", "SendReply", "Finished", "Submit"]
        assert desk.standing().memory_only

    def test_back_means_all_is_written(self) -> None:
        desk = Desk()
        desk.on(LedgerLost())
        for name in ("done", "replied", "run"):
            desk.ask(request(name), fingerprint=f"f-{name}")
            desk.now += 1
        desk.on(completed(request("done").key))
        desk.on(completed(request("replied").key))
        desk.on(ReplyTaken(key=request("done").key))
        desk.ask(request("wait"))
        desk.now += 1
        (rewrite,) = desk.on(LedgerBack())
        assert isinstance(rewrite, Rewrite)
        rows = {row.key.strip("\x1f"): row for row in rewrite.rows}
        assert {name: row.state for name, row in rows.items()} == {
            "done": "done",
            "replied": "replied",
            "run": "running",
            "wait": "waiting",
        }
        assert [rows[name].age_s for name in ("done", "replied", "run")] == [4, 3, 2]
        assert rows["done"].settled_s == 1
        assert rows["run"].attempts == 1
        assert rows["run"].fingerprint == "f-run"
        assert rows["replied"].request is None
        assert rows["replied"].reply is not None
        assert only(desk.ask(request("next")), Accept)

    def test_rows_are_bounded_by_count(self) -> None:
        desk = Desk(max_replies=1)
        for name in "ab":
            desk.ask(request(name))
            desk.on(completed(request(name).key))
        assert kinds(desk.on(ReplyTaken(key=request("a").key))) == ["Settle"]
        effects = desk.on(ReplyTaken(key=request("b").key))
        assert kinds(effects) == ["Settle", "Forget"]
        assert only(effects, Forget)[0].key == request("a").key
        assert all(isinstance(effect, LEDGER_OPS) for effect in effects)


def test_nobody_begins_who_would_be_told_nothing_of_the_house() -> None:
    desk = Desk(unheard=frozenset({"butler"}))
    butler = replace(request("told"), persona="butler")
    assert not only(desk.ask(butler), Submit)
    cook = replace(request("cook"), persona="cook")
    assert only(desk.ask(cook), Submit)[0].request == cook
    assert not only(desk.on(completed(cook.key)), Submit)
    assert only(desk.on(HouseKnown()), Submit)[0].request == butler
