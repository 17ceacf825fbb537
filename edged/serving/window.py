"""What was answered lately, so that the same question is not worked on twice."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from edged.serving.row import StoredReply

# Replies kept for repetition: some 10 KiB each, so this and the next bound meet.
MAX_REPLIES = 1024
# Of all replies together; a Pi has better uses for its memory.
MAX_BYTES = 8 * 1024 * 1024
# Digests of deliveries; a broker redelivers at most its in-flight window (65,535) and
# in practice the receive maximum we ask for, some ten.
MAX_FINGERPRINTS = 4096


class Answered(Struct, kw_only=True):
    """A request that has its reply.

    Attributes:
        reply: As it went out.
        accepted_at: When the request was accepted, in seconds of the caller's clock.
        taken_at: When the broker took the reply, same clock; None: it has not yet.
        fingerprint: Digest of the delivery.
    """

    reply: StoredReply
    accepted_at: float
    taken_at: float | None = None
    fingerprint: str | None = None


class DuplicateWindow:
    """Replies by key and deliveries by fingerprint, bounded by age, count and bytes.

    The window of a reply opens when the broker takes it. Until then it is never dropped;
    how many of those there can be is bounded by `admission.MAX_UNCONFIRMED`.
    """

    def __init__(self, seconds: float, max_replies: int = MAX_REPLIES) -> None:
        self._seconds = seconds
        self._max_replies = max_replies
        self._untaken: dict[str, Answered] = {}
        self._taken: OrderedDict[str, Answered] = OrderedDict()
        self._taken_bytes = 0
        self._seen: OrderedDict[str, float] = OrderedDict()

    @property
    def unconfirmed(self) -> int:
        """Replies that the broker has not taken."""
        return len(self._untaken)

    def get(self, key: str) -> Answered | None:
        """What this key was answered, if that is still known."""
        return self._untaken.get(key) or self._taken.get(key)

    def items(self) -> list[tuple[str, Answered]]:
        """Everything known, oldest taken first."""
        return [*self._taken.items(), *self._untaken.items()]

    def add(self, key: str, answered: Answered) -> None:
        """Remember a reply; the key must be new, and those taken come oldest first."""
        if answered.taken_at is None:
            self._untaken[key] = answered
        else:
            self._keep(key, answered, answered.taken_at)

    def take(self, key: str, now: float) -> bool:
        """The broker has this reply; False if that was known or the key is not."""
        answered = self._untaken.pop(key, None)
        if answered is None:
            return False
        answered.taken_at = now
        self._keep(key, answered, now)
        return True

    def see(self, fingerprint: str | None, now: float) -> None:
        """Remember a delivery that was decided upon."""
        if fingerprint is None:
            return
        self._seen[fingerprint] = now
        self._seen.move_to_end(fingerprint)
        if len(self._seen) > MAX_FINGERPRINTS:
            self._seen.popitem(last=False)

    def seen(self, fingerprint: str, now: float) -> bool:
        """Whether this delivery was decided upon inside the window."""
        at = self._seen.get(fingerprint)
        if at is not None and now - at <= self._seconds:
            return True
        # A broker that was away for long asks again before it has taken the reply.
        return any(answered.fingerprint == fingerprint for answered in self._untaken.values())

    def expire(self, now: float) -> list[str]:
        """Drop what is too old or too much; returns the keys whose replies are gone."""
        while self._seen and now - next(iter(self._seen.values())) > self._seconds:
            self._seen.popitem(last=False)
        gone = []
        while self._taken and self._surplus(now):
            key, answered = self._taken.popitem(last=False)
            self._taken_bytes -= len(answered.reply.payload)
            gone.append(key)
        return gone

    def _surplus(self, now: float) -> bool:
        too_many = len(self._taken) > self._max_replies or self._taken_bytes > MAX_BYTES
        oldest = next(iter(self._taken.values())).taken_at
        return too_many or oldest is None or now - oldest > self._seconds

    def _keep(self, key: str, answered: Answered, now: float) -> None:
        self._taken[key] = answered
        self._taken_bytes += len(answered.reply.payload)
        self.see(answered.fingerprint, now)
