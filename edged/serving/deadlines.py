"""When a request must have started, and when it must have ended; all times are the dispatcher's."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.serving.running import Job

# Before and after the engine's part there are two commits, of some 20 to 80 ms each on a card, and
# the broker.
HANDOVER_S = 0.2


def start_by(job: Job, *, began: bool = False) -> float | None:
    """When it must have started at the latest; None: any time will do.

    Args:
        job: Accepted.
        began: It was started before, and so did not expire.
    """
    expires_in = None if began else job.request.expires_in
    start = inf if expires_in is None else job.accepted_at + expires_in
    return None if (last := min(start, _engine_ends_by(job))) == inf else last


def within_s(job: Job, now: float) -> float | None:
    """Seconds that the engine has for it from now on; None: as many as it takes."""
    ends_by = _engine_ends_by(job)
    return None if ends_by == inf else max(0.0, ends_by - now)


def is_too_late(job: Job, now: float) -> bool:
    """Whether it cannot be answered in time any more, if it did not start yet."""
    return _engine_ends_by(job) < now


def _engine_ends_by(job: Job) -> float:
    within = job.request.answer_within
    return inf if within is None else job.accepted_at + within - HANDOVER_S
