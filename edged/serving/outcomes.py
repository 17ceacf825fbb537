"""Ends of requests: each accepted one gets exactly one terminal reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.serving.effects import (
    Acknowledge,
    Conclude,
    Finished,
    Forget,
    SendReply,
    Settle,
)
from edged.serving.message import encode
from edged.serving.row import Row, StoredReply
from edged.serving.window import Answered, DuplicateWindow

if TYPE_CHECKING:
    from edged.serving.effects import Effect
    from edged.serving.request import BadRequest, Reply, Request, Ticket
    from edged.serving.running import Job


class Outcomes:
    """Settles requests and remembers how.

    Attributes:
        window: What was answered lately.
    """

    def __init__(self, window: DuplicateWindow) -> None:
        self.window = window

    def conclude(self, job: Job, reply: Reply) -> list[Effect]:
        """Answer an accepted request, once and for all."""
        request = job.request
        stored = StoredReply(
            id=request.id,
            payload=encode(reply),
            reply_to=request.reply_to,
            correlation=request.correlation,
        )
        self.window.add(
            request.key,
            Answered(reply=stored, accepted_at=job.accepted_at, fingerprint=job.fingerprint),
        )
        return [
            Conclude(key=request.key, reply=stored),
            _send(request.key, stored, reply),
            _finished(request.client, reply),
        ]

    def refuse(self, asked: Request | BadRequest, reply: Reply, ticket: Ticket) -> list[Effect]:
        """Answer what was not accepted.

        Reply before acknowledgement: on one connection the broker sees them in this order,
        so a crash in between makes it deliver again instead of losing the refusal.
        """
        stored = StoredReply(
            id=asked.id,
            payload=encode(reply),
            reply_to=asked.reply_to,
            correlation=asked.correlation,
        )
        sent = _send(None, stored, reply)
        return [sent, Acknowledge(ticket=ticket), _finished(asked.client, reply)]

    def repeat(self, request: Request, answered: Answered, ticket: Ticket) -> list[Effect]:
        """Send the stored bytes once more, to where this asker wants them."""
        again = SendReply(
            key=request.key,
            request_id=request.id,
            payload=answered.reply.payload,
            reply_to=request.reply_to,
            correlation=request.correlation,
            resend=True,
        )
        return [again, Acknowledge(ticket=ticket)]

    def taken(self, key: str, now: float) -> list[Effect]:
        """The broker has the reply of this key."""
        return [Settle(key=key), *self.expire(now)] if self.window.take(key, now) else []

    def expire(self, now: float) -> list[Effect]:
        """Forget what the window has no room or time for."""
        return [Forget(key=key) for key in self.window.expire(now)]

    def restore(self, row: Row, reply: StoredReply, now: float) -> list[Effect]:
        """Take up a row that has its reply; send it again if the broker may not have it."""
        done = row.state == "done"
        answered = Answered(
            reply=reply,
            accepted_at=now - row.age_s,
            taken_at=now - row.settled_s if done else None,
            fingerprint=row.fingerprint,
        )
        self.window.add(row.key, answered)
        return [] if done else [_send(row.key, reply, None)]

    def rows(self, now: float) -> list[Row]:
        """All that are answered and not forgotten."""
        return [_row(key, answered, now) for key, answered in self.window.items()]


def _send(key: str | None, stored: StoredReply, reply: Reply | None) -> SendReply:
    return SendReply(
        key=key,
        request_id=stored.id,
        payload=stored.payload,
        reply=reply,
        reply_to=stored.reply_to,
        correlation=stored.correlation,
        resend=reply is None,
    )


def _finished(client: str, reply: Reply) -> Finished:
    return Finished(
        id=reply.id,
        client=client,
        status=reply.status,
        code=reply.error.code if reply.error else None,
        message=reply.error.message if reply.error else None,
        finish_reason=reply.finish_reason,
        usage=reply.usage,
        timings=reply.timings,
        variant=reply.variant,
    )


def _row(key: str, answered: Answered, now: float) -> Row:
    taken_at = answered.taken_at
    return Row(
        key=key,
        state="replied" if taken_at is None else "done",
        fingerprint=answered.fingerprint,
        age_s=max(0.0, now - answered.accepted_at),
        reply=answered.reply,
        settled_s=0.0 if taken_at is None else max(0.0, now - taken_at),
    )
