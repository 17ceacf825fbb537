"""Requests coming in: known already, refused, or accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.serving import deadlines, replies
from edged.serving.admission import Rejected, admit
from edged.serving.effects import Accept, Acknowledge
from edged.serving.row import Row
from edged.serving.running import Job

if TYPE_CHECKING:
    from edged.serving.effects import Effect
    from edged.serving.events import Arrived, Refused
    from edged.serving.state import State
    from edged.serving.window import Answered


def arrived(state: State, event: Arrived, now: float) -> list[Effect]:
    """A request: run it once, answer it once, acknowledge each delivery."""
    key, window = event.request.key, state.outcomes.window
    answered = window.get(key)
    if key in state.jobs or _redelivered(state, event, now):
        effects: list[Effect] = [Acknowledge(ticket=event.ticket)]
    elif answered is not None:
        effects = _again(state, event, answered)
    else:
        effects = _decide(state, event, now)
    window.see(event.fingerprint, now)
    return effects


def refused(state: State, event: Refused, now: float) -> list[Effect]:
    """No request at all: its sender is told why, once for each time it was sent."""
    if _redelivered(state, event, now):
        return [Acknowledge(ticket=event.ticket)]
    state.outcomes.window.see(event.fingerprint, now)
    reply = replies.refused(event.bad.id, event.bad.code, event.bad.message)
    return state.outcomes.refuse(event.bad, reply, event.ticket)


def _redelivered(state: State, event: Arrived | Refused, now: float) -> bool:
    """Whether this was decided upon; DUP alone proves nothing, the first try may be lost."""
    fingerprint = event.fingerprint
    if not event.dup or fingerprint is None:
        return False
    return state.outcomes.window.seen(fingerprint, now) or state.jobs.delivered(fingerprint)


def _again(state: State, event: Arrived, answered: Answered) -> list[Effect]:
    """A broker that asks again has or will get our reply; a client that does wants it."""
    if event.dup:
        return [Acknowledge(ticket=event.ticket)]
    return state.outcomes.repeat(event.request, answered, event.ticket)


def _decide(state: State, event: Arrived, now: float) -> list[Effect]:
    request = event.request
    verdict = admit(state.load(request, now))
    if isinstance(verdict, Rejected):
        reply = replies.refused(request.id, verdict.code, verdict.message, verdict.retry_after_s)
        return state.outcomes.refuse(request, reply, event.ticket)
    job = Job(request=request, accepted_at=now, fingerprint=event.fingerprint)
    state.wait(job, now, deadlines.start_by(job))
    row = Row(key=request.key, request=request, fingerprint=event.fingerprint)
    return [
        Accept(row=row),
        Acknowledge(ticket=event.ticket),
        *state.positions.newcomer(request, state.mean_s, now),
    ]
