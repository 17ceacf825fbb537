"""Whatever happens in whatever order, nothing accepted is lost and nothing is answered twice.

The machine plays the broker (redelivers what was not acknowledged), the engine (several runs side
by side, and deaths), the disk (ledger effects applied to a dict) and the fault: a crash between any
two effects.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import structs

from edged.serving import effects as fx
from edged.serving import events as ev
from edged.serving.dispatcher import Dispatcher
from edged.serving.request import BadRequest, Priority, Request, Ticket
from edged.serving.state import Settings
from tests.serving.make import completed, only, request
from tests.serving.talk import Talk

if TYPE_CHECKING:
    from edged.serving.row import Row

WINDOW_S = 100.0
SETTINGS = Settings(capacity=4, per_client=3, duplicate_window_s=WINDOW_S, max_replies=6)
MAX_STREAMS = 3
CLIENTS = st.sampled_from(["", "a", "b"])
PICK = st.integers(0, 1000)
# Seconds until it must have started, and until it must have ended.
LIMITS = ((None, None), (None, None), (0.0, None), (5.0, None), (None, 7.0), (5.0, 7.0))


def died(batch: list[fx.Effect]) -> set[str]:
    """Requests that are told that a death cost them their answer."""
    replies = [sent for sent in only(batch, fx.SendReply) if sent.reply and sent.reply.error]
    return {
        sent.key
        for sent in replies
        if sent.key and sent.reply and sent.reply.error and sent.reply.error.code == "engine_died"
    }


class Crashed(Exception):  # noqa: N818 - a signal, not an error
    pass


class Disk:
    """The ledger as a dict; ages are worked out as the real one does."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Row, float]] = {}

    def apply(self, ops: list[Any], now: float) -> None:
        for op in ops:
            self._apply(op, now)

    def _apply(self, op: Any, now: float) -> None:
        match op:
            case fx.Accept():
                assert op.row.key not in self.rows
                self.rows[op.row.key] = (op.row, now)
            case fx.Rewrite():
                self.rows = {row.key: (row, now) for row in op.rows}
            case fx.MarkRunning():
                self._change(op.key, now, state="running", attempts=op.attempts)
            case fx.MarkWaiting():
                self._change(op.key, now, state="waiting", attempts=op.attempts)
            case fx.Conclude():
                assert self.rows[op.key][0].reply is None
                self._change(op.key, now, state="replied", request=None, reply=op.reply)
            case fx.Settle():
                self._change(op.key, now, state="done", settled_s=0.0)
            case fx.Forget():
                del self.rows[op.key]

    def _change(self, key: str, now: float, **changes: Any) -> None:
        row, at = self.rows[key]
        aged = structs.replace(row, age_s=row.age_s + now - at, settled_s=row.settled_s + now - at)
        self.rows[key] = (structs.replace(aged, **changes), now)

    def load(self, now: float) -> tuple[Row, ...]:
        for key in self.rows:
            self._change(key, now)
        return tuple(row for row, _ in self.rows.values())


class World(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.disk = Disk()
        self.dispatcher = Dispatcher(SETTINGS)
        self.crash_after: int | None = None
        self.connection = 1
        self.mid = 0
        self.fresh = 0
        # Broker: messages by fingerprint, and which were not acknowledged on this connection.
        self.messages: dict[str, Request | BadRequest] = {}
        self.unacked: dict[Ticket, str] = {}
        self.acks: Counter[Ticket] = Counter()
        self.untaken: list[str] = []
        # Oracle.
        self.accepted: set[str] = set()
        self.accepted_prints: dict[str, str] = {}
        self.payloads: dict[str, bytes] = {}
        self.firsts: Counter[str] = Counter()
        self.deltas: dict[str, list[str]] = {}
        self.ended: set[str] = set()
        self.talk = Talk()
        # Engine.
        self.up = False
        self.streams = 1
        self.runs: dict[str, bool] = {}
        self.touched: set[str] = set()
        self.lost = False
        self.blind = False
        self.draining = False
        self.send(ev.Restored(rows=()))

    # The daemon.

    def send(self, event: ev.Event) -> list[fx.Effect]:
        batch = self.dispatcher.on(event, self.now)
        self.check_order(batch, event)
        try:
            self.perform(batch)
        except Crashed:
            self.restart()
        return batch

    def check_order(self, batch: list[fx.Effect], event: ev.Event) -> None:
        tickets = [ack.ticket for ack in only(batch, fx.Acknowledge)]
        expected = [event.ticket] if isinstance(event, ev.Arrived | ev.Refused) else []
        assert tickets == expected
        if self.lost:
            assert not only(batch, fx.LEDGER_OPS)  # type: ignore[arg-type]
        for place, effect in enumerate(batch):
            if isinstance(effect, fx.Submit) and not self.lost:
                marks = only(batch[:place], fx.MarkRunning)
                assert effect.request.key in [mark.key for mark in marks]

    def perform(self, batch: list[fx.Effect]) -> None:
        ops = [effect for effect in batch if isinstance(effect, fx.LEDGER_OPS)]
        if self.crash_after == 0:
            # A ledger that came back is worth nothing until everything is written to it.
            self.lost |= bool(only(ops, fx.Rewrite))
            raise Crashed
        self.disk.apply(ops, self.now)
        for op in ops:
            self.note(op)
        for count, effect in enumerate(batch, start=1):
            if self.crash_after is not None and count > self.crash_after:
                raise Crashed
            self.do(effect)
        if self.crash_after is not None:
            raise Crashed

    def note(self, op: fx.LedgerOp) -> None:
        if isinstance(op, fx.Accept):
            self.accepted.add(op.row.key)
            assert op.row.fingerprint is not None
            assert self.accepted_prints.get(op.row.fingerprint) is None, "run twice"
            self.accepted_prints[op.row.fingerprint] = op.row.key
        if isinstance(op, fx.Forget):
            self.forget(op.key)

    def forget(self, key: str) -> None:
        self.accepted.discard(key)
        self.payloads.pop(key, None)
        self.firsts.pop(key, None)
        self.accepted_prints = {f: k for f, k in self.accepted_prints.items() if k != key}

    def do(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Acknowledge():
                self.acks[effect.ticket] += 1
                del self.unacked[effect.ticket]
            case fx.Submit():
                key = effect.request.key
                assert self.lost or key in self.disk.rows
                self.start(effect.request)
                self.talk.began(effect.request)
                self.runs[key] = False
                self.deltas[key] = []
                self.ended.discard(key)
            case fx.CancelRun():
                if effect.key in self.runs:
                    self.runs[effect.key] = True
            case fx.SendDelta():
                self.stream(effect)
            case fx.SendReply():
                self.reply(effect)
                kept = effect.reply is not None and effect.reply.status == "ok"
                self.talk.ended(effect.key or "", kept=kept)
            case fx.SendProgress():
                assert effect.phase != "waiting" or effect.fields["position"] >= 1
            case _:
                pass

    def start(self, asked: Request) -> None:
        assert self.up
        assert asked.key not in self.runs
        assert len(self.runs) < self.streams + (asked.priority is Priority.URGENT)
        assert not (self.alone(asked.key) and self.runs), "alone is alone"
        assert not any(self.alone(key) for key in self.runs), "alone is alone"
        self.touched.discard(asked.key)

    def alone(self, key: str) -> bool:
        """Whether a request that runs had begun before."""
        return self.dispatcher._state.jobs[key].attempts > 1

    def stream(self, effect: fx.SendDelta) -> None:
        assert effect.key not in self.ended
        parts = self.deltas[effect.key]
        assert effect.seq == len(parts)
        parts.append(effect.delta)
        if effect.done:
            self.ended.add(effect.key)

    def reply(self, effect: fx.SendReply) -> None:
        key = effect.key
        if key is None:
            assert effect.reply is not None
            assert effect.reply.status == "rejected"
            return
        assert self.payloads.setdefault(key, effect.payload) == effect.payload
        self.firsts[key] += not effect.resend
        assert self.firsts[key] <= 1, "answered twice"
        self.untaken.append(key)
        if effect.reply is not None and key in self.ended and effect.reply.text is not None:
            assert effect.reply.text == "".join(self.deltas[key])

    def restart(self) -> None:
        if self.lost or self.blind:
            # Memory is gone, and the disk is stale or can not be read: what was answered may be
            # answered again, yet whatever is open on the disk must not be lost.
            for key in list(self.accepted | set(self.payloads)):
                self.forget(key)
            self.accepted = {key for key, (row, _) in self.disk.rows.items() if row.request}
            self.accepted_prints = {
                row.fingerprint: key
                for key, (row, _) in self.disk.rows.items()
                if row.fingerprint is not None
            }
        self.crash_after = None
        self.lost = self.up = self.draining = False
        self.runs, self.untaken, self.deltas = {}, [], {}
        self.ended = set()
        self.talk = Talk()
        self.dispatcher = Dispatcher(SETTINGS)
        self.connection += 1
        if self.blind:
            # The disk can be read later, if at all.
            self.lost = True
            self.send(ev.LedgerLost())
        else:
            batch = self.send(ev.Restored(rows=self.disk.load(self.now)))
            assert len(died(batch)) <= 1, "only what ran alone is not tried again"
        again, self.unacked = self.unacked, {}
        for fingerprint in again.values():
            self.deliver(fingerprint, dup=True)

    def deliver(self, fingerprint: str, *, dup: bool) -> None:
        message = self.messages[fingerprint]
        self.mid += 1
        ticket = Ticket(connection=self.connection, mid=self.mid, qos=1)
        self.unacked[ticket] = fingerprint
        if isinstance(message, BadRequest):
            self.send(ev.Refused(bad=message, ticket=ticket, dup=dup, fingerprint=fingerprint))
            return
        if message.id.startswith("gen"):
            # Who sent no id gets a new one each time the message comes.
            self.fresh += 1
            message = structs.replace(message, id=f"gen{self.fresh}")
        self.send(ev.Arrived(request=message, ticket=ticket, dup=dup, fingerprint=fingerprint))

    # What may happen.

    @rule(
        client=CLIENTS,
        name=st.sampled_from(["x", "y", "gen"]) | st.integers(0, 30).map("n{}".format),
        priority=st.sampled_from(Priority),
        limits=st.sampled_from(LIMITS),
        stream=st.booleans(),
        session=st.sampled_from([None, "s", "t"]),
    )
    def publish(  # noqa: PLR0913 - one keyword for each thing a request may have
        self,
        client: str,
        name: str,
        priority: Priority,
        limits: tuple[float | None, float | None],
        session: str | None,
        *,
        stream: bool,
    ) -> None:
        fingerprint = f"f{len(self.messages)}"
        expires_in, within = limits
        self.messages[fingerprint] = request(
            name,
            client,
            priority=priority,
            expires_in=expires_in,
            answer_within=within,
            stream=stream,
            session=session,
            prompt=fingerprint,
        )
        self.deliver(fingerprint, dup=False)

    @rule()
    def publish_nonsense(self) -> None:
        fingerprint = f"f{len(self.messages)}"
        self.messages[fingerprint] = BadRequest(
            id="bad", client="", code="bad_json", message="nonsense"
        )
        self.deliver(fingerprint, dup=False)

    @precondition(lambda self: self.messages)
    @rule(pick=PICK)
    def acknowledgement_got_lost(self, pick: int) -> None:
        """The broker delivers one of the last messages again."""
        recent = list(self.messages)[-5:]
        self.deliver(recent[pick % len(recent)], dup=True)

    @precondition(lambda self: not self.up)
    @rule(streams=st.integers(1, MAX_STREAMS))
    def engine_ready(self, streams: int) -> None:
        self.up, self.streams = True, streams
        self.send(ev.EngineReady(variant="v", n_ctx=2048, streams=streams))

    @precondition(lambda self: self.up)
    @rule(names=st.sets(st.integers(0, MAX_STREAMS)), fatal=st.sampled_from([False, False, True]))
    def engine_lost(self, names: set[int], *, fatal: bool) -> None:
        """It names some of what it had in hand: the others were on their way to it."""
        named = [key for number, key in enumerate(self.runs) if number in names]
        suspects = {key for key in self.runs if key in self.touched or key in named}
        alone = {key for key in self.runs if self.alone(key)}
        hopeless = self.lost if self.draining else fatal
        for key in self.runs:
            self.talk.ended(key, kept=False)
        self.up, self.runs = False, {}
        runs = tuple(ev.LostRun(key=key, tokens_done=1) for key in named)
        retry_in = None if fatal else 1.0
        lost = ev.EngineLost(reason="SIGSEGV", runs=runs, during="decode", retry_in=retry_in)
        batch = self.send(lost)
        dead = died(batch)
        if hopeless:
            return
        if len(suspects) == 1:
            assert suspects <= {sent.key for sent in only(batch, fx.SendReply)}
        assert len(dead) <= 1, "a death costs at most one request"
        assert not dead or dead in (suspects, alone)

    @precondition(lambda self: self.runs)
    @rule(pick=PICK, done=st.integers(0, 10))
    def prefilled(self, pick: int, done: int) -> None:
        self.send(ev.Prefilled(key=self.touch(pick), done=done, total=10))

    @precondition(lambda self: self.runs)
    @rule(pick=PICK, text=st.sampled_from(["", "a", "bc", "\ud800", "x" * 600]))
    def decoded(self, pick: int, text: str) -> None:
        self.send(ev.Decoded(key=self.touch(pick), text=text, tokens=1))

    @precondition(lambda self: self.runs)
    @rule(pick=PICK, reason=st.sampled_from(["stop", "stop", "deadline"]))
    def completed(self, pick: int, reason: str = "stop") -> None:
        key = self.a_run(pick)
        reason = "cancelled" if self.runs.pop(key) else reason
        self.send(completed(key, reason))

    @precondition(lambda self: self.runs)
    @rule(pick=PICK, code=st.sampled_from(["prompt_too_long", "bad_template"]))
    def run_failed(self, pick: int, code: str) -> None:
        key = self.a_run(pick)
        del self.runs[key]
        self.talk.ended(key, kept=False)
        self.send(ev.RunFailed(key=key, code=code, message="no"))

    @precondition(lambda self: self.untaken)
    @rule(pick=PICK)
    def reply_taken(self, pick: int) -> None:
        self.send(ev.ReplyTaken(key=self.untaken.pop(pick % len(self.untaken))))

    @rule(name=st.sampled_from(["x", "y", "n1", "gen1", "gen2"]))
    def cancel(self, name: str) -> None:
        self.send(ev.CancelAsked(id=name))

    @rule(id_=st.sampled_from([None, "s", "t"]))
    def forget_session(self, id_: str | None) -> None:
        self.talk.forgotten(id_)
        self.send(ev.ForgetAsked(id=id_))

    @rule(paused=st.booleans())
    def pause(self, *, paused: bool) -> None:
        self.send(ev.PauseSet(paused=paused))

    @rule(refused=st.sampled_from([(), (2,), (2, 1), (2, 1, 0)]))
    def heat(self, refused: tuple[int, ...]) -> None:
        self.send(ev.Paced(refused=tuple(map(Priority, refused)), cool_in_s=30.0))

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.send(ev.Tick())

    @rule()
    def drain(self) -> None:
        self.draining = True
        self.send(ev.Drain())

    @precondition(lambda self: self.draining)
    @rule()
    def stop(self) -> None:
        self.send(ev.DrainOver())
        if self.draining:
            if self.lost:
                assert not self.dispatcher.snapshot(self.now).waiting, "gone with the memory"
            self.restart()

    @precondition(lambda self: not self.lost)
    @rule()
    def ledger_lost(self) -> None:
        self.lost = True
        self.send(ev.LedgerLost())

    @precondition(lambda self: self.lost)
    @rule()
    def ledger_back(self) -> None:
        self.lost = False
        self.blind = False
        self.send(ev.LedgerBack(rows=self.disk.load(self.now)))

    @rule(effects=st.integers(0, 6))
    def arm_crash(self, effects: int) -> None:
        self.crash_after = effects

    @rule()
    def arm_blindness(self) -> None:
        self.blind = True

    def a_run(self, pick: int) -> str:
        return list(self.runs)[pick % len(self.runs)]

    def touch(self, pick: int) -> str:
        key = self.a_run(pick)
        self.touched.add(key)
        return key

    # What must hold.

    @invariant()
    def bounded(self) -> None:
        standing = self.dispatcher.snapshot(self.now)
        assert standing.running == len(self.runs)
        assert standing.running <= self.streams + 1
        if standing.running > self.streams:
            jobs = self.dispatcher._state.jobs
            assert any(jobs[key].request.priority is Priority.URGENT for key in self.runs)
        # Runs that went back to waiting after an interruption come on top.
        assert standing.waiting + standing.running <= SETTINGS.capacity + MAX_STREAMS + 1
        assert standing.oldest_wait_s >= 0

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        standing, state = self.dispatcher.snapshot(self.now), self.dispatcher._state
        if not self.up or standing.paused or self.draining or any(map(self.alone, self.runs)):
            return
        waiting = [job for job in state.waiting() if state.lines.first(job.request)]
        if len(self.runs) <= self.streams:
            urgent = [job for job in waiting if job.request.priority is Priority.URGENT]
            assert all(job.alone for job in urgent)
        if len(self.runs) < self.streams:
            assert not waiting or (self.runs and any(job.alone for job in waiting))

    @invariant()
    def acknowledged_once(self) -> None:
        assert all(count == 1 for count in self.acks.values())
        assert not self.unacked

    @invariant()
    def disk_is_memory(self) -> None:
        if self.lost:
            return
        rows = {row.key: row for row in self.dispatcher._state.rows(self.now)}
        assert rows.keys() == self.disk.rows.keys()
        for key, row in rows.items():
            kept = self.disk.rows[key][0]
            assert (kept.reply, kept.fingerprint) == (row.reply, row.fingerprint)
            assert row.reply is not None or kept.attempts == row.attempts
            resumed = kept.state == "running" and row.state == "waiting" and row.attempts
            assert kept.state == row.state or resumed

    def teardown(self) -> None:
        """Whatever was accepted has its reply in the end."""
        self.crash_after = None
        if self.draining:
            self.stop()
        if self.lost:
            self.ledger_back()
        self.pause(paused=False)
        if not self.up:
            self.engine_ready(2)
        while self.runs:
            self.completed(0)
        standing = self.dispatcher.snapshot(self.now)
        assert (standing.waiting, standing.running) == (0, 0)
        assert all(key in self.payloads for key in self.accepted)
        for key in list(self.untaken):
            self.send(ev.ReplyTaken(key=key))
        self.now += WINDOW_S + 1
        self.send(ev.Tick())
        assert not self.disk.rows


TestWorld = World.TestCase
TestWorld.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
