"""The single writer of what waits and what runs: an event in, effects out.

No clock, no thread, no wire: a list of events with their times replays everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from edged.serving import endings, events, intake, replies, restoring
from edged.serving.effects import LEDGER_OPS, Noted
from edged.serving.state import Settings, State
from edged.serving.text import clean, quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.serving.effects import Effect
    from edged.serving.running import Job


class Standing(Struct, frozen=True, kw_only=True):
    """What telemetry may know; nothing is decided by it.

    Attributes:
        waiting: Requests waiting.
        running: Requests running.
        unconfirmed: Replies that the broker has not taken.
        paused: An owner pressed pause.
        draining: The daemon is stopping.
        ready: The engine takes requests.
        fatal: Why the engine will not come back, if so.
        memory_only: The ledger takes no writes.
        oldest_wait_s: How long the longest waiting one has waited, in seconds.
        avg_service_s: Mean seconds of a run.
        capacity: The most that may wait.
        hot: The heat of the board keeps some requests out.
        expires_at: When the first of those who wait expires, if nothing happens; None: none does.
        sessions: Conversations that are kept.
    """

    waiting: int
    running: int
    unconfirmed: int
    paused: bool
    draining: bool
    ready: bool
    fatal: str | None
    memory_only: bool
    oldest_wait_s: float
    avg_service_s: float
    capacity: int
    hot: bool
    expires_at: float | None = None
    sessions: int


class Dispatcher:
    """Decides on every event; whoever calls it performs the effects in order."""

    def __init__(self, settings: Settings) -> None:
        self._state = State(settings)

    def on(self, event: events.Event, now: float) -> list[Effect]:
        """Take one event.

        Args:
            event: What happened.
            now: Seconds of a monotonic clock; never less than in the call before.

        Returns:
            What to do, in order; see `edged.serving.effects`.
        """
        state = self._state
        effects = [*_HANDLERS[type(event)](state, event, now), *_start(state, now)]
        effects += state.positions.tell(state.mean_s, now)
        if state.memory_only:
            return [effect for effect in effects if not isinstance(effect, LEDGER_OPS)]
        return effects

    def snapshot(self, now: float) -> Standing:
        """How things stand."""
        state = self._state
        oldest = state.backlog.oldest_since()
        return Standing(
            waiting=len(state.backlog),
            running=len(state.running),
            unconfirmed=state.outcomes.window.unconfirmed,
            paused=state.paused,
            draining=state.draining,
            ready=state.ready,
            fatal=state.fatal,
            memory_only=state.memory_only,
            oldest_wait_s=0.0 if oldest is None else now - oldest,
            avg_service_s=state.mean_s,
            capacity=state.settings.capacity,
            hot=bool(state.heat.refused),
            # A stopping daemon leaves them to the next one.
            expires_at=None if state.draining else state.backlog.next_deadline(),
            sessions=len(state.conversations),
        )

    def sessions(self, id_: str | None) -> int:
        """How many sessions `ForgetAsked` would forget."""
        return self._state.conversations.count(id_)


def _start(state: State, now: float) -> list[Effect]:
    """Expire what is late, start what can start; a stopping daemon leaves both to the next one."""
    if state.draining:
        return []
    effects: list[Effect] = []
    for entry in state.backlog.expire(now):
        job = state.jobs[entry.request.key]
        effects += state.conclude(job, replies.expired(job, now))
    while following := _next(state, now):
        effects += state.start(following, now)
    return effects


def _next(state: State, now: float) -> Job | None:
    """Who may start now, taken out of the backlog."""
    if not state.ready or state.paused or state.running.full or not state.stirred:
        return None
    fits = state.running.fits
    entry = state.backlog.pop(now, lambda asked: fits(state.jobs[asked.key]), state.may_start)
    if entry is None:
        state.settle()
        return None
    return state.jobs[entry.request.key]


def _cancel_asked(state: State, event: events.CancelAsked, now: float) -> list[Effect]:
    jobs = state.jobs.named(event.id)
    if not jobs:
        return [Noted(code="cancel_unknown", text=f"nothing to cancel by the id {quote(event.id)}")]
    effects: list[Effect] = []
    for job in jobs:
        if job.request.key in state.backlog:
            effects += state.conclude(job, replies.cancelled_early(job, now))
        else:
            effects += state.running.cancel(job.request.key)
    return effects


def _forget_asked(state: State, event: events.ForgetAsked, _now: float) -> list[Effect]:
    state.conversations.forget(event.id)
    return []


def _pause_set(state: State, event: events.PauseSet, _now: float) -> list[Effect]:
    state.paused = event.paused
    return []


def _limits_set(state: State, event: events.LimitsSet, _now: float) -> list[Effect]:
    state.settings = replace(state.settings, capacity=event.capacity, per_client=event.per_client)
    state.conversations.bounds = event.sessions or state.conversations.bounds
    return []


def _house_known(state: State, _event: events.HouseKnown, _now: float) -> list[Effect]:
    state.unheard = frozenset()
    return []


def _paced(state: State, event: events.Paced, _now: float) -> list[Effect]:
    state.heat = event
    return []


def _drain(state: State, _event: events.Drain, now: float) -> list[Effect]:
    state.draining = True
    return _send_away(state, now) if state.memory_only else []


def _ledger_lost(state: State, _event: events.LedgerLost, now: float) -> list[Effect]:
    state.memory_only = True
    return _send_away(state, now) if state.draining else []


def _send_away(state: State, now: float) -> list[Effect]:
    """No ledger will bring those who wait over the restart: they are told now."""
    effects: list[Effect] = []
    for job in state.waiting():
        reply = replies.unserved(job, replies.SHUTTING_DOWN, now, "rejected")
        effects += state.conclude(job, reply)
    return effects


def _engine_ready(state: State, event: events.EngineReady, _now: float) -> list[Effect]:
    state.ready, state.fatal, state.variant = True, None, clean(event.variant)
    state.running.slots = event.streams
    state.conversations.context = event.n_ctx
    return []


def _engine_changing(state: State, _event: events.EngineChanging, _now: float) -> list[Effect]:
    state.ready = False
    return []


def _tick(state: State, _event: events.Tick, now: float) -> list[Effect]:
    state.conversations.expire(now)
    return state.outcomes.expire(now)


def _reply_taken(state: State, event: events.ReplyTaken, now: float) -> list[Effect]:
    return state.outcomes.taken(event.key, now)


def _prefilled(state: State, event: events.Prefilled, now: float) -> list[Effect]:
    return state.running.prefilled(event, now)


def _decoded(state: State, event: events.Decoded, now: float) -> list[Effect]:
    return state.running.decoded(event, now)


_HANDLERS: dict[type, Callable[[State, Any, float], list[Effect]]] = {
    events.Arrived: intake.arrived,
    events.Refused: intake.refused,
    events.CancelAsked: _cancel_asked,
    events.ForgetAsked: _forget_asked,
    events.PauseSet: _pause_set,
    events.LimitsSet: _limits_set,
    events.HouseKnown: _house_known,
    events.Paced: _paced,
    events.Drain: _drain,
    events.DrainOver: endings.drain_over,
    events.Tick: _tick,
    events.EngineChanging: _engine_changing,
    events.EngineReady: _engine_ready,
    events.EngineLost: endings.engine_lost,
    events.Prefilled: _prefilled,
    events.Decoded: _decoded,
    events.Completed: endings.completed,
    events.RunFailed: endings.run_failed,
    events.ReplyTaken: _reply_taken,
    events.Restored: restoring.restored,
    events.LedgerLost: _ledger_lost,
    events.LedgerBack: restoring.ledger_back,
}
