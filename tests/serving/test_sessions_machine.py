"""Sessions in any order of events: one run at a time, in order, and only what was said remembered.

Unlike the machine of the dispatcher nothing crashes here, so that far more requests run.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edged.serving import effects as fx
from edged.serving import events as ev
from edged.serving.conversations import Bounds
from edged.serving.request import Priority, Request
from tests.serving.make import Desk, arrived, completed, engine_lost, engine_ready, request
from tests.serving.talk import Talk

STREAMS = 3
BOUNDS = Bounds(capacity=2, max_tokens=64)
PICK = st.integers(0, 99)
SESSIONS = st.sampled_from(["s", "t", None])


class World(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(streams=STREAMS, capacity=1000, per_client=1000, sessions=BOUNDS)
        self.talk = Talk()
        self.count = 0
        self.open: dict[str, Request] = {}
        self.runs: dict[str, bool] = {}

    def send(self, event: ev.Event, after: float = 0.0) -> None:
        for effect in self.desk.on(event, after=after):
            match effect:
                case fx.Submit():
                    self.begin(effect.request)
                case fx.CancelRun():
                    self.runs[effect.key] = True
                case fx.SendReply():
                    assert effect.reply is not None
                    assert effect.key is not None
                    self.talk.ended(effect.key, kept=effect.reply.status == "ok")
                    del self.open[effect.key]
                case _:
                    pass

    def begin(self, submitted: Request) -> None:
        self.talk.began(submitted)
        self.runs[submitted.key] = False
        if submitted.session is not None:
            line = [key for key, asked in self.open.items() if asked.session == submitted.session]
            assert line[0] == submitted.key, "in the order in which they came"

    @rule(session=SESSIONS, client=st.sampled_from(["", "a"]), priority=st.sampled_from(Priority))
    def publish(self, session: str | None, client: str, priority: Priority) -> None:
        self.count += 1
        name = f"r{self.count}"
        asked = request(name, client, session=session, prompt=name, priority=priority)
        self.open[asked.key] = asked
        self.send(arrived(asked, self.count))

    @precondition(lambda self: self.runs)
    @rule(pick=PICK, text=st.sampled_from(["", "ab"]))
    def completed(self, pick: int, text: str) -> None:
        key = sorted(self.runs)[pick % len(self.runs)]
        if text:
            self.send(ev.Decoded(key=key, text=text, tokens=1))
        self.send(completed(key, "cancelled" if self.runs.pop(key) else "stop"))

    @precondition(lambda self: self.runs)
    @rule(pick=PICK, code=st.sampled_from(["prompt_too_long", "decode_failed"]))
    def failed(self, pick: int, code: str) -> None:
        key = sorted(self.runs)[pick % len(self.runs)]
        del self.runs[key]
        self.talk.ended(key, kept=False)
        self.send(ev.RunFailed(key=key, code=code, message="no"))

    @precondition(lambda self: self.open)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        asked = list(self.open.values())[pick % len(self.open)]
        self.send(ev.CancelAsked(id=asked.id))

    @rule(id_=st.sampled_from(["s", "t", None]))
    def forget(self, id_: str | None) -> None:
        self.talk.forgotten(id_)
        self.send(ev.ForgetAsked(id=id_))

    @rule()
    def death(self) -> None:
        for key in self.runs:
            self.talk.ended(key, kept=False)
        self.runs = {}
        self.send(engine_lost())
        self.send(engine_ready(STREAMS))

    @rule(seconds=st.sampled_from([0.0, 1000.0, 4000.0]))
    def tick(self, seconds: float) -> None:
        self.send(ev.Tick(), after=seconds)

    @invariant()
    def whoever_may_run_runs(self) -> None:
        state = self.desk.dispatcher._state
        waiting = [job for job in state.waiting() if state.lines.first(job.request)]
        alone = any(job.attempts > 0 for job in waiting)
        lonely = any(run.alone for run in state.running.runs())
        assert len(self.runs) >= STREAMS or not waiting or alone or lonely
        assert {run.job.request.key for run in state.running.runs()} == set(self.runs)

    @invariant()
    def who_stands_behind_is_counted(self) -> None:
        state = self.desk.dispatcher._state
        behind = [job for job in state.jobs if not state.lines.first(job.request)]
        assert state.lines.behind == len(behind)
        assert all(job.request.key in state.backlog for job in behind), "none of them runs"

    @invariant()
    def no_more_is_kept_than_allowed(self) -> None:
        state = self.desk.dispatcher._state
        assert len(state.conversations) <= BOUNDS.capacity + len(self.runs)

    def teardown(self) -> None:
        while self.runs:
            self.completed(0, "")
        assert not self.open
        assert not self.desk.dispatcher._state.lines._lines


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
