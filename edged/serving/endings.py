"""Runs coming to their end: done, failed, cut, or dead with their engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.serving import replies
from edged.serving.effects import CancelRun

if TYPE_CHECKING:
    from edged.serving.effects import Effect
    from edged.serving.events import Completed, DrainOver, EngineLost, RunFailed
    from edged.serving.request import ReplyError
    from edged.serving.running import Run
    from edged.serving.state import State

# A request that ran at two deaths of the daemon is likelier their cause than their victim.
MAX_ATTEMPTS = 2


def completed(state: State, event: Completed, now: float) -> list[Effect]:
    """The engine ended a run."""
    run = state.running.end(event.key)
    if run is None:
        return []
    if event.finish_reason != "cancelled":
        state.served(now - run.started_at)
    return state.conclude_run(run, replies.completed(run, event, now, state.variant), now)


def run_failed(state: State, event: RunFailed, now: float) -> list[Effect]:
    """The engine could not do a run and lives."""
    run = state.running.end(event.key)
    if run is None:
        return []
    if event.code == replies.PROMPT_TOO_LONG and not state.draining and _shorten(run):
        # It never began: this run does not count.
        return state.requeue(run, run.job.attempts - 1, now)
    return state.conclude_run(run, replies.failed(run, event, now, state.variant), now)


def _shorten(run: Run) -> bool:
    """Leave out more of what was said before; False if there is nothing to leave out."""
    seen = 0 if run.recalled is None else len(run.recalled.turns)
    run.job.max_turns = seen // 2
    return seen > 0 and not run.cancelled


def engine_lost(state: State, event: EngineLost, now: float) -> list[Effect]:
    """The engine died: what it had in hand may be the reason.

    One that it had in hand alone is not tried again. Of several nobody knows which it was: each
    runs again, alone, so that a request costs no other one its answer.
    """
    state.ready = False
    runs = state.running.take_all()
    tokens = {lost.key: lost.tokens_done for lost in event.runs}
    suspects = [run for run in runs if run.touched or run.job.request.key in tokens]
    effects: list[Effect] = []
    for run in runs:
        guilty = suspects == [run] or run.job.attempts >= MAX_ATTEMPTS
        if guilty or run.cancelled or not _comes_back(state, event):
            done = tokens.get(run.job.request.key, 0)
            effects += _cut(state, run, replies.engine_died(event), now, done)
        else:
            effects += state.requeue(run, run.job.attempts, now)
    if event.retry_in is None:
        state.fatal = event.reason
        effects += give_up(state, now)
    return effects


def _comes_back(state: State, event: EngineLost) -> bool:
    """Whether an engine will take up what waits: this daemon's, or the next one's."""
    return not state.memory_only if state.draining else event.retry_in is not None


def drain_over(state: State, _event: DrainOver, now: float) -> list[Effect]:
    """The daemon goes: what runs waits for its next start, where the ledger can hold it."""
    effects: list[Effect] = []
    for run in state.running.take_all():
        if run.cancelled or state.memory_only:
            effects += _cut(state, run, replies.SHUTTING_DOWN, now)
        else:
            # Being cut is not the request's fault: this run does not count.
            effects += state.requeue(run, run.job.attempts - 1, now)
        effects.append(CancelRun(key=run.job.request.key))
    return effects


def _cut(state: State, run: Run, error: ReplyError, now: float, tokens: int = 0) -> list[Effect]:
    reply = replies.cut(run, error, now, state.variant, tokens)
    return state.conclude_run(run, reply, now)


def give_up(state: State, now: float) -> list[Effect]:
    """Nobody will serve those who wait; while draining the next start may."""
    effects: list[Effect] = []
    if state.fatal is not None and not state.draining:
        error = replies.unavailable(state.fatal)
        for job in state.waiting():
            effects += state.conclude(job, replies.unserved(job, error, now))
    return effects
