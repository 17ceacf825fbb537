"""What the dispatcher wants done, in order.

Whoever performs a batch commits its ledger effects in one transaction first, then does
the others in order: nothing is promised to anyone before it is on the disk. A first run promises
nothing, so it may begin meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from edged.serving.request import Reply, Request, Status, Ticket, Timings, Usage
    from edged.serving.row import Row, StoredReply

Phase = Literal["waiting", "prefill", "decode"]


class Accept(Struct, frozen=True, kw_only=True):
    """Write a new row, state waiting."""

    row: Row


class MarkRunning(Struct, frozen=True, kw_only=True):
    """The row's run number `attempts` begins."""

    key: str
    attempts: int


class MarkWaiting(Struct, frozen=True, kw_only=True):
    """The row goes back to waiting, with so many runs counted."""

    key: str
    attempts: int


class Conclude(Struct, frozen=True, kw_only=True):
    """The row has its reply: state replied, the prompt is dropped."""

    key: str
    reply: StoredReply


class Settle(Struct, frozen=True, kw_only=True):
    """The broker took the reply: state done, kept for the duplicate window."""

    key: str


class Forget(Struct, frozen=True, kw_only=True):
    """Delete the row."""

    key: str


class Rewrite(Struct, frozen=True, kw_only=True):
    """Replace all rows by these."""

    rows: tuple[Row, ...]


class Acknowledge(Struct, frozen=True, kw_only=True):
    """Tell the broker that we have this message; exactly once for each ticket."""

    ticket: Ticket


class Submit(Struct, frozen=True, kw_only=True):
    """Hand the request to the engine, under `request.key`.

    Attributes:
        request: To be run.
        within_s: Seconds until the engine must have ended it; None: it may take any time.
    """

    request: Request
    within_s: float | None = None


class CancelRun(Struct, frozen=True, kw_only=True):
    """Ask the engine to stop this run; it answers with `Completed`."""

    key: str


class SendReply(Struct, frozen=True, kw_only=True):
    """Publish a terminal reply (QoS 1).

    Attributes:
        key: To report with `ReplyTaken`; None: nobody waits for that (a refusal).
        request_id: For the default reply topic.
        payload: The bytes to publish.
        reply: What the bytes say; None if they come from the ledger.
        reply_to: An allowed topic; None: the default reply topic.
        correlation: Correlation data to send along.
        resend: The same reply went out before.
    """

    key: str | None
    request_id: str
    payload: bytes
    reply: Reply | None = None
    reply_to: str | None = None
    correlation: bytes | None = None
    resend: bool = False


class SendDelta(Struct, frozen=True, kw_only=True):
    """Publish a piece of the text; `seq` counts from 0 in each run, the last is `done`.

    A run that a restart or the engine's death interrupted begins again, its `seq` from 0 with it.
    """

    key: str
    id: str
    seq: int
    delta: str
    done: bool = False


class SendProgress(Struct, frozen=True, kw_only=True):
    """Publish how far a request is.

    Attributes:
        key: Whose progress it is.
        id: Names the topic.
        phase: waiting, prefill or decode.
        fields: waiting: position (1 is next), eta_s; prefill: percent, and planned_tokens where it
            must end in time; decode: tokens, predicted_per_second.
    """

    key: str
    id: str
    phase: Phase
    fields: dict[str, float]


class Finished(Struct, frozen=True, kw_only=True):
    """A terminal outcome, for the journal and the meter; holds no prompt and no text."""

    id: str
    client: str
    status: Status
    code: str | None = None
    message: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    variant: str | None = None


class Noted(Struct, frozen=True, kw_only=True):
    """Something for the journal that changed nothing; text is printable and bounded."""

    code: str
    text: str


LedgerOp = Accept | MarkRunning | MarkWaiting | Conclude | Settle | Forget | Rewrite
Effect = (
    LedgerOp
    | Acknowledge
    | Submit
    | CancelRun
    | SendReply
    | SendDelta
    | SendProgress
    | Finished
    | Noted
)
# For isinstance: who performs a batch parts it with this.
LEDGER_OPS = (Accept, MarkRunning, MarkWaiting, Conclude, Settle, Forget, Rewrite)
