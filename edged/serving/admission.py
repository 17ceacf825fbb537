"""Whether a request may wait, and when to come back if not."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from edged.serving.deadlines import HANDOVER_S

Code = Literal["busy", "too_many", "paused", "too_hot", "too_late", "unavailable", "shutting_down"]

# A broker that takes no replies must not fill our memory: each may be some 10 KiB.
MAX_UNCONFIRMED = 1024
# An honest estimate, yet never "at once" and never "tomorrow".
MIN_RETRY_S = 1.0
MAX_RETRY_S = 3600.0
# A board that was too hot takes minutes to cool, if nobody can say how many.
COOLING_S = 120.0
# Share of the wait, as runs were on average, that is there for sure: nobody is sent away who might
# be in time. How long its own prompt takes only the engine knows, which has read much of it before.
SURE_WAIT = 0.5


class Load(Struct, frozen=True, kw_only=True):
    """What admission looks at.

    Attributes:
        waiting: Requests waiting now, of `capacity`.
        waiting_of_client: How many of them are this client's, of `per_client`.
        running: Requests running now, of `slots`.
        capacity: The most that may wait.
        per_client: The most that one client may have waiting.
        slots: The most that run at once, apart from an urgent one.
        unconfirmed: Replies that the broker has not taken yet.
        avg_service_s: Mean seconds of a run.
        paused: An owner pressed pause.
        too_hot: The board is too hot for a request of this priority.
        cool_in_s: Seconds until it is cool again, if that is known.
        draining: The daemon is stopping.
        fatal: Why the engine will not come back; None: it runs or will.
        answer_within: Seconds in which the request must have ended; None: it may take any time.
        start_in_s: Seconds until it would start, by the mean; 0 before any run was seen.
    """

    waiting: int
    waiting_of_client: int
    running: int
    capacity: int
    per_client: int
    slots: int
    unconfirmed: int
    avg_service_s: float
    paused: bool = False
    too_hot: bool = False
    cool_in_s: float | None = None
    draining: bool = False
    fatal: str | None = None
    answer_within: float | None = None
    start_in_s: float = 0.0


class Admitted(Struct, frozen=True):
    """It may wait or start."""


class Rejected(Struct, frozen=True, kw_only=True):
    """It may not; `retry_after_s` is None where waiting would not help."""

    code: Code
    message: str
    retry_after_s: float | None = None


def admit(load: Load) -> Admitted | Rejected:
    """Decide on one request by the load alone; a free slot does not need a free place."""
    return _closed(load) or _full(load) or _too_late(load) or Admitted()


def _closed(load: Load) -> Rejected | None:
    if load.draining:
        return Rejected(code="shutting_down", message="the daemon is stopping")
    if load.fatal is not None:
        return Rejected(code="unavailable", message=f"the engine is out of service: {load.fatal}")
    if load.paused:
        return Rejected(code="paused", message="serving is paused")
    if load.too_hot:
        seconds = COOLING_S if load.cool_in_s is None else load.cool_in_s
        text = "the board is too hot for a request of this priority"
        return Rejected(code="too_hot", message=text, retry_after_s=_bounded(seconds))
    return None


def _full(load: Load) -> Rejected | None:
    if load.waiting >= load.capacity:
        text = f"{load.waiting} requests are waiting, the limit is {load.capacity}"
        return Rejected(code="busy", message=text, retry_after_s=_retry(load, load.waiting))
    if load.waiting_of_client >= load.per_client:
        text = (
            f"{load.waiting_of_client} of this client are waiting, the limit is {load.per_client}"
        )
        return Rejected(
            code="too_many", message=text, retry_after_s=_retry(load, load.waiting_of_client)
        )
    if load.unconfirmed >= MAX_UNCONFIRMED:
        text = f"{load.unconfirmed} replies are not taken by the broker yet"
        return Rejected(code="busy", message=text, retry_after_s=_retry(load, load.waiting))
    return None


def _too_late(load: Load) -> Rejected | None:
    within = load.answer_within
    if within is None or within >= load.start_in_s * SURE_WAIT + HANDOVER_S:
        return None
    text = f"it would start in about {load.start_in_s:.1f} s, and answer_within is {within:g} s"
    retry = _bounded(load.start_in_s - within)
    return Rejected(code="too_late", message=text, retry_after_s=retry)


def _retry(load: Load, queue: int) -> float:
    """Seconds until half of the queue is served, so that not all come back for one place."""
    return _bounded(load.avg_service_s * (queue / 2 + load.running) / load.slots)


def _bounded(seconds: float) -> float:
    return round(min(max(seconds, MIN_RETRY_S), MAX_RETRY_S), 1)
