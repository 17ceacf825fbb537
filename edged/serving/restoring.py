"""After a restart: every row of the ledger finds its place again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.serving import replies
from edged.serving.endings import MAX_ATTEMPTS
from edged.serving.running import Job

if TYPE_CHECKING:
    from edged.serving.effects import Effect
    from edged.serving.events import Restored
    from edged.serving.request import Request
    from edged.serving.row import Row
    from edged.serving.state import State


def restored(state: State, event: Restored, now: float) -> list[Effect]:
    """Take up what was accepted, send again what was not taken, remember the rest."""
    effects: list[Effect] = []
    for row in sorted(event.rows, key=lambda row: -row.settled_s):
        state.outcomes.window.see(row.fingerprint, now - row.settled_s)
        if row.reply is not None:
            effects += state.outcomes.restore(row, row.reply, now)
        elif row.request is not None:
            effects += _resume(state, row, row.request, now)
    return effects + state.outcomes.expire(now)


def _resume(state: State, row: Row, request: Request, now: float) -> list[Effect]:
    job = Job(
        request=request,
        accepted_at=now - row.age_s,
        attempts=row.attempts,
        fingerprint=row.fingerprint,
    )
    ran = row.state == "running"
    if ran and row.attempts >= MAX_ATTEMPTS:
        state.jobs[request.key] = job
        return state.conclude(job, replies.unserved(job, replies.INTERRUPTED, now), now)
    # What has started once has met its deadline; the others are expired by their true age.
    deadline = None if ran or request.expires_in is None else job.accepted_at + request.expires_in
    state.wait(job, now, deadline, front=ran)
    return []
