"""What the ledger keeps of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from edged.serving.request import Request

State = Literal["waiting", "running", "replied", "done"]


class StoredReply(Struct, frozen=True, kw_only=True):
    """A terminal reply as it went out, so that it can go out again unchanged."""

    id: str
    payload: bytes
    reply_to: str | None = None
    correlation: bytes | None = None


class Row(Struct, frozen=True, kw_only=True):
    """One accepted request, from acceptance until the duplicate window has passed.

    Ages and not stamps: only the ledger knows the wall clock, only the dispatcher the other.

    Attributes:
        key: `Request.key`.
        state: waiting, running, replied (broker has not taken the reply) or done (it has).
        request: None once there is a reply: a prompt is kept no longer than it is needed.
        attempts: Runs begun so far.
        fingerprint: Digest of the delivery, to know a redelivery by.
        age_s: Seconds since acceptance; never negative.
        reply: The reply, from `replied` on.
        settled_s: Seconds since the broker took the reply, for `done`; never negative.
    """

    key: str
    state: State = "waiting"
    request: Request | None = None
    attempts: int = 0
    fingerprint: str | None = None
    age_s: float = 0.0
    reply: StoredReply | None = None
    settled_s: float = 0.0
