"""Whether a node is in its fleet's group: it leaves at once and comes back with hysteresis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from edged.serving.dispatcher import Standing

# What the broker gives us before it has heard that we leave finds room behind the first share.
FULL_SHARE = 0.75
ROOM_SHARE = 0.5
# An engine that dies at each request, or heat at its trip point, must not come and go each second.
BACK_S = 3.0
WAITING = "cooling_off"


class Membership(Struct, frozen=True):
    """Where a node stands.

    Attributes:
        reason: Why it is not in the group; None: it is.
        well_since: Since when nothing speaks against coming back; None: something does.
    """

    reason: str | None = "loading"
    well_since: float | None = None

    @property
    def here(self) -> bool:
        """Whether it is in the group."""
        return self.reason is None


def step(before: Membership, standing: Standing, now: float) -> Membership:
    """What follows from how things stand.

    Args:
        before: Where the node stood; begin with `Membership()`.
        standing: The dispatcher's snapshot.
        now: Seconds of a clock that only goes forward.
    """
    reason = against(standing, here=before.here)
    if reason is not None:
        return Membership(reason)
    since = now if before.well_since is None else before.well_since
    if before.here or now - since >= BACK_S:
        return Membership(None, since)
    return Membership(WAITING, since)


def against(standing: Standing, *, here: bool) -> str | None:
    """What speaks against being in the group, the most lasting first; None if nothing does."""
    room = FULL_SHARE if here else ROOM_SHARE
    reasons = {
        "stopping": standing.draining,
        "no_model": standing.fatal is not None,
        "paused": standing.paused,
        "loading": not standing.ready,
        "hot": standing.hot,
        "full": standing.waiting >= room * standing.capacity,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)
