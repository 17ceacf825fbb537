"""After a restart: every row of the ledger finds its place again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.serving import deadlines, endings, replies
from edged.serving.effects import Rewrite
from edged.serving.events import Restored
from edged.serving.running import Job

if TYPE_CHECKING:
    from edged.serving.effects import Effect
    from edged.serving.events import LedgerBack
    from edged.serving.request import Request
    from edged.serving.row import Row
    from edged.serving.state import State


def restored(state: State, event: Restored, now: float) -> list[Effect]:
    """Take up what the ledger held when it was opened at start."""
    state.restored = True
    return [*_take_up(state, event.rows, now), *endings.give_up(state, now)]


def ledger_back(state: State, event: LedgerBack, now: float) -> list[Effect]:
    """Write everything anew; but what nobody has read yet is taken up before it is overwritten."""
    effects: list[Effect] = []
    state.memory_only = False
    if not state.restored:
        effects = restored(state, Restored(rows=event.rows), now)
    return [*effects, Rewrite(rows=state.rows(now))]


def _take_up(state: State, rows: tuple[Row, ...], now: float) -> list[Effect]:
    """Wait again, send again what was not taken, remember the rest."""
    effects: list[Effect] = []
    for row in sorted(rows, key=lambda row: -row.settled_s):
        if row.key in state.jobs or state.outcomes.window.get(row.key):
            continue  # asked again while the ledger could not be read
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
        restored=True,
    )
    ran = row.state == "running"
    if ran and row.attempts >= endings.MAX_ATTEMPTS:
        state.jobs.add(job)
        return state.conclude(job, replies.unserved(job, replies.INTERRUPTED, now))
    began = ran or job.alone
    # What has started once did not expire; whatever must end in time goes by its true age.
    state.wait(job, now, deadlines.start_by(job, began=began), front=began)
    return []
