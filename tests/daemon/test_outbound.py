from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from edged.daemon.notes import Notes
from edged.daemon.outbound import REFUSAL_NEWS_S, Outbound, generate
from edged.engine import codec, frames
from edged.errors import StorageError
from edged.serving import effects, events
from edged.serving.request import Message, Priority, Reply, Request, Sampling, Ticket
from edged.serving.row import Row
from tests.daemon.rooms import Rooms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.serving.effects import Effect, LedgerOp
    from edged.serving.request import Status

REQUEST = Request(
    id="a1",
    client="lamp",
    messages=(Message(role="user", content="hello"),),
    max_tokens=9,
    sampling=Sampling(temperature=0.0, seed=4),
    stop=("end",),
    schema='{"type":"null"}',
    priority=Priority.URGENT,
)
TICKET = Ticket(connection=2, mid=5, qos=1)
LOOSE = Ticket(connection=2, mid=0, qos=0)


class Desk:
    """An outbound over fake rooms; `broken` is what the disk says."""

    def __init__(self, *, with_engine: bool = True) -> None:
        self.rooms = Rooms()
        self.committed: list[list[LedgerOp]] = []
        self.begun_before: list[int] = []
        self.used: list[frames.Messages] = []
        self.broken: str | None = None
        self.more = 0
        self.outbound = Outbound(
            commit=self.commit,
            dispatcher=self.rooms.dispatcher,
            engine=self.rooms.engine if with_engine else None,
            session=self.rooms.session,
            topics=self.rooms.topics,
            notes=Notes(self.rooms.journal, self.rooms.meter, self.rooms.health, self.rooms.sense),
            reply_expiry_s=60,
            used=lambda messages, _: self.used.append(messages),
            told=lambda request, _: replace(request, max_tokens=request.max_tokens + self.more),
        )

    async def commit(self, ops: Sequence[LedgerOp]) -> None:
        # What is acknowledged or answered before the disk has it could be lost.
        assert self.rooms.fake_session.acknowledged == []
        self.begun_before.append(len(self.rooms.fake_engine.calls))
        if self.broken is not None:
            raise StorageError(self.broken)
        self.committed.append(list(ops))

    def perform(self, *batch: Effect) -> None:
        asyncio.run(self.outbound.perform(batch, 1.0))


def test_the_ledger_comes_first_and_in_one_transaction() -> None:
    desk = Desk()
    accept = effects.Accept(row=Row(key="k", request=REQUEST))
    mark = effects.MarkRunning(key="k", attempts=1)
    desk.perform(accept, effects.Acknowledge(ticket=TICKET), mark, effects.Submit(request=REQUEST))
    assert desk.committed == [[accept, mark]]
    assert desk.begun_before == [0]  # it is not this run that the mark tells of
    assert desk.rooms.fake_session.acknowledged == [(2, 5)]
    assert desk.rooms.fake_engine.calls == [("submit", generate(REQUEST))]
    assert desk.used == [generate(REQUEST).messages]


def test_what_runs_for_the_first_time_does_not_wait_for_the_disk() -> None:
    desk = Desk()
    desk.perform(*_begins("lamp\x1fa1", attempts=1))
    assert desk.begun_before == [1]
    assert desk.rooms.fake_engine.calls == [("submit", generate(REQUEST))]


def test_what_was_interrupted_is_counted_on_the_disk_before_it_runs_again() -> None:
    desk = Desk()
    desk.perform(*_begins("lamp\x1fa1", attempts=2))
    assert desk.begun_before == [0]
    assert desk.rooms.fake_engine.calls == [("submit", generate(REQUEST))]


def test_who_takes_the_place_of_another_comes_behind_his_end() -> None:
    desk = Desk()
    desk.perform(effects.CancelRun(key="old"), *_begins("lamp\x1fa1", attempts=1))
    assert desk.begun_before == [0]
    assert [call for call, _ in desk.rooms.fake_engine.calls] == ["cancel", "submit"]


def _begins(key: str, *, attempts: int) -> tuple[Effect, ...]:
    mark = effects.MarkRunning(key=key, attempts=attempts)
    return mark, effects.Submit(request=REQUEST)


def test_a_disk_that_fails_costs_durability_and_not_the_request() -> None:
    desk = Desk()
    desk.broken = "disk full"
    accept = effects.Accept(row=Row(key="k", request=REQUEST))
    desk.perform(accept, effects.Acknowledge(ticket=TICKET), effects.Submit(request=REQUEST))
    assert desk.rooms.fake_session.acknowledged == [(2, 5)]
    assert desk.begun_before == [0]
    assert len(desk.rooms.fake_engine.calls) == 1
    assert desk.rooms.dispatcher.snapshot(1.0).memory_only
    assert desk.rooms.health.active("ledger_lost")


def test_the_engine_is_asked_with_what_is_told_last() -> None:
    desk = Desk()
    desk.more = 1
    desk.perform(effects.Submit(request=REQUEST))
    assert desk.rooms.fake_engine.calls == [("submit", generate(replace(REQUEST, max_tokens=10)))]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValueError("secret"), "rejected", "prompt_too_long"),
        (KeyError("secret"), "failed", "internal"),
    ],
)
def test_a_run_that_cannot_begin_is_answered_and_lets_the_next_one_run(
    error: Exception, status: str, code: str
) -> None:
    desk = Desk()
    dispatcher, engine = desk.rooms.dispatcher, desk.rooms.fake_engine
    dispatcher.on(events.EngineReady(variant="v", n_ctx=2048, streams=1), 0.0)
    engine.broken = error
    asked = replace(REQUEST, schema=None)
    desk.perform(*dispatcher.on(events.Arrived(request=asked, ticket=LOOSE), 0.0))
    (sent,) = [each for each in desk.rooms.fake_session.sent if each.tag]
    reply = json.loads(sent.payload)
    assert (reply["status"], reply["error"]["code"]) == (status, code)
    assert [type(op).__name__ for op in desk.committed[-1]] == ["Conclude"]
    assert "secret" not in "".join(desk.rooms.lines)
    engine.broken = None
    more = replace(asked, id="a2")
    desk.perform(*dispatcher.on(events.Arrived(request=more, ticket=LOOSE), 0.0))
    assert [call for call, _ in engine.calls] == ["submit"]


def test_qos_0_is_not_acknowledged() -> None:
    desk = Desk()
    desk.perform(effects.Acknowledge(ticket=Ticket(connection=2, mid=0, qos=0)))
    assert desk.rooms.fake_session.acknowledged == []


def test_a_reply_goes_to_its_topic_with_everything_echoed() -> None:
    desk = Desk()
    desk.perform(
        effects.SendReply(
            key="k", request_id="a1", payload=b"{}", reply_to="ok/me", correlation=b"\x00"
        )
    )
    (sent,) = desk.rooms.fake_session.sent
    assert (sent.topic, sent.payload, sent.qos, sent.retain) == ("ok/me", b"{}", 1, False)
    assert (sent.correlation, sent.expiry_s, sent.tag) == (b"\x00", 60, "k")


def test_refusals_have_no_row_and_tags_of_their_own() -> None:
    desk = Desk()
    refusal = effects.SendReply(key=None, request_id="a1", payload=b"{}")
    desk.perform(refusal, refusal)
    first, second = desk.rooms.fake_session.sent
    assert first.topic == "edged/n/reply/a1"
    assert first.tag != second.tag


def told(desk: Desk) -> list[tuple[str, str]]:
    sent = desk.rooms.fake_session.on("edged/n/event")
    assert all((each.qos, each.retain, each.tag) == (1, False, None) for each in sent)
    return [
        (json.loads(each.payload)["event_type"], json.loads(each.payload)["id"]) for each in sent
    ]


def answer(status: Status, id_: str, *, resend: bool = False) -> effects.SendReply:
    reply = Reply(id=id_, status=status)
    return effects.SendReply(key=id_, request_id=id_, payload=b"{}", reply=reply, resend=resend)


def test_the_house_is_told_of_each_reply_once_and_of_a_flood_of_refusals_now_and_then() -> None:
    desk = Desk()
    desk.perform(answer("ok", "a"), answer("ok", "a", resend=True), answer("failed", "b"))
    desk.perform(effects.SendReply(key="c", request_id="c", payload=b"{}"))
    desk.perform(*(answer("rejected", f"r{number}") for number in range(5)))
    asyncio.run(desk.outbound.perform([answer("rejected", "late")], 1.0 + REFUSAL_NEWS_S))
    rejected = [("rejected", "r0"), ("rejected", "late")]
    assert told(desk) == [("completed", "a"), ("failed", "b"), *rejected]


def test_deltas_and_progress_are_qos_0() -> None:
    desk = Desk()
    desk.perform(
        effects.SendDelta(key="k", id="a1", seq=0, delta="é"),
        effects.SendDelta(key="k", id="a1", seq=1, delta="", done=True),
        effects.SendProgress(key="k", id="a1", phase="prefill", fields={"percent": 50.0}),
    )
    sent = desk.rooms.fake_session.sent
    assert [json.loads(outgoing.payload) for outgoing in sent] == [
        {"seq": 0, "delta": "é"},
        {"seq": 1, "delta": "", "done": True},
        {"phase": "prefill", "percent": 50.0},
    ]
    assert [outgoing.qos for outgoing in sent] == [0, 0, 0]
    assert sent[2].topic == "edged/n/progress/a1"


def test_a_cancel_reaches_the_engine() -> None:
    desk = Desk()
    desk.perform(effects.CancelRun(key="k"))
    assert desk.rooms.fake_engine.calls == [("cancel", "k")]


def test_without_an_engine_nothing_is_started() -> None:
    desk = Desk(with_engine=False)
    desk.perform(effects.Submit(request=REQUEST), effects.CancelRun(key="k"))
    assert desk.rooms.fake_engine.calls == []
    assert desk.used == []


def test_the_child_is_told_the_work_and_nothing_else() -> None:
    frame = generate(REQUEST)
    assert frame == frames.Generate(
        key=REQUEST.key,
        messages=(frames.Message(role="user", content="hello"),),
        max_tokens=9,
        temperature=0.0,
        top_p=0.9,
        top_k=40,
        min_p=0.05,
        repeat_penalty=1.1,
        seed=4,
        stop=("end",),
        schema='{"type":"null"}',
        priority=0,
    )
    assert b"reply" not in codec.encode_checked(frame)


def test_a_mistake_with_one_effect_does_not_cost_the_next() -> None:
    desk = Desk()
    broken = effects.SendReply(key="k", request_id="a1", payload=b"{}", reply_to="#")
    desk.perform(broken, effects.Acknowledge(ticket=TICKET))
    assert desk.rooms.fake_session.acknowledged == [(2, 5)]
    assert "SendReply" in desk.rooms.lines[0]


@pytest.mark.parametrize("status", ["ok", "rejected"])
def test_outcomes_and_notes_reach_the_journal(status: str) -> None:
    desk = Desk()
    desk.perform(
        effects.Finished(id="a1", client="", status="ok" if status == "ok" else "rejected"),
        effects.Noted(code="x", text="y"),
    )
    assert len(desk.rooms.lines) == 2
