"""What happens to the dispatcher. Every source puts these; none of them decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from edged.serving.conversations import Bounds
    from edged.serving.request import BadRequest, Priority, Request, Ticket, Usage
    from edged.serving.row import Row


class Arrived(Struct, frozen=True, kw_only=True):
    """A request came in.

    Attributes:
        request: As `message.parse` returned it.
        ticket: To acknowledge with, exactly once.
        dup: The broker's DUP flag.
        fingerprint: Digest of mid, topic, payload and properties without the message
            expiry, which the broker counts down; None if there is none (QoS 0).
    """

    request: Request
    ticket: Ticket
    dup: bool = False
    fingerprint: str | None = None


class Refused(Struct, frozen=True, kw_only=True):
    """A payload came in that is no request; the fields are as in `Arrived`."""

    bad: BadRequest
    ticket: Ticket
    dup: bool = False
    fingerprint: str | None = None


class CancelAsked(Struct, frozen=True, kw_only=True):
    """Somebody wants the requests with this id stopped, whichever client sent them."""

    id: str


class ForgetAsked(Struct, frozen=True, kw_only=True):
    """Somebody wants the sessions of this id forgotten, whichever client's; None: all of them."""

    id: str | None


class PauseSet(Struct, frozen=True, kw_only=True):
    """Paused: what runs goes on, nothing else starts, nothing new is admitted."""

    paused: bool


class LimitsSet(Struct, frozen=True, kw_only=True):
    """An owner changed how much may wait; what waits already goes on waiting.

    Attributes:
        capacity: The most that may wait.
        per_client: The most that one client may have waiting.
        sessions: How much is kept of conversations; None: as before.
    """

    capacity: int
    per_client: int
    sessions: Bounds | None = None


class Paced(Struct, frozen=True, kw_only=True):
    """How hot the board is: what runs and what waits goes on, newcomers may be refused.

    Attributes:
        refused: Priorities that are not admitted.
        cool_in_s: Seconds until all are, as far as that is known.
    """

    refused: tuple[Priority, ...] = ()
    cool_in_s: float | None = None


class Drain(Struct, frozen=True, kw_only=True):
    """The daemon is stopping: nothing new, what runs may end."""


class DrainOver(Struct, frozen=True, kw_only=True):
    """The time for draining is over: what still runs is cut."""


class Tick(Struct, frozen=True, kw_only=True):
    """Time went by; expected about once a second."""


class EngineChanging(Struct, frozen=True, kw_only=True):
    """Another model is to be loaded: what runs goes on, nothing new starts until `EngineReady`."""


class EngineReady(Struct, frozen=True, kw_only=True):
    """The engine has loaded a model.

    Attributes:
        variant: What it loaded.
        n_ctx: Tokens of prompt and answer together.
        streams: Runs it computes side by side; one urgent run more may be submitted.
    """

    variant: str
    n_ctx: int
    streams: int


class LostRun(Struct, frozen=True, kw_only=True):
    """A run that the engine took along, and how many tokens of it were made."""

    key: str
    tokens_done: int


class EngineLost(Struct, frozen=True, kw_only=True):
    """The engine died or was stopped.

    Attributes:
        reason: "SIGSEGV", "exit 3", "stalled", "bad_frame", ...
        runs: The requests it had in hand.
        during: "load", "prefill", "decode", "idle".
        retry_in: Seconds until the next start; None: it will not be started again.
    """

    reason: str
    runs: tuple[LostRun, ...] = ()
    during: str = "idle"
    retry_in: float | None = None


class Prefilled(Struct, frozen=True, kw_only=True):
    """`done` of `total` prompt tokens are read.

    With `answer_within`: `planned` tokens of the answer fit at most.
    """

    key: str
    done: int
    total: int
    planned: int | None = None


class Decoded(Struct, frozen=True, kw_only=True):
    """More text; `tokens` were made since the last event of this kind for this key."""

    key: str
    text: str
    tokens: int


class Completed(Struct, frozen=True, kw_only=True):
    """A run ended by itself or because it was cancelled; all times in milliseconds.

    Attributes:
        key: `Request.key`.
        finish_reason: stop, length, deadline or cancelled.
        usage: The engine's count of tokens.
        prompt_ms: Time spent in prefill.
        predicted_ms: Time spent in decode.
        ttft_ms: From `Submit` to the first token, measured by the engine.
        scores: Of each choice, the logarithm of the probability that it is the answer.
    """

    key: str
    finish_reason: str
    usage: Usage
    prompt_ms: float = 0.0
    predicted_ms: float = 0.0
    ttft_ms: float | None = None
    scores: tuple[float, ...] = ()


class RunFailed(Struct, frozen=True, kw_only=True):
    """The engine lives and could not do this one; `prompt_too_long` means it never began."""

    key: str
    code: str
    message: str


class ReplyTaken(Struct, frozen=True, kw_only=True):
    """The broker has the reply of this key (its PUBACK came)."""

    key: str


class Restored(Struct, frozen=True, kw_only=True):
    """What the ledger held at start, oldest first; comes before any request.

    Without it (the ledger could not be opened) `LedgerBack` brings the rows later.
    """

    rows: tuple[Row, ...]


class LedgerLost(Struct, frozen=True, kw_only=True):
    """The ledger took no write: until `LedgerBack` no ledger effects are asked for.

    Effects of the batch whose write failed are still performed: serving from memory
    is better than not serving.
    """


class HouseKnown(Struct, frozen=True, kw_only=True):
    """A broker has told how the house is: what waited through a restart can be told."""


class LedgerBack(Struct, frozen=True, kw_only=True):
    """The ledger takes writes again; answered with a `Rewrite` of every row.

    Attributes:
        rows: What the ledger held when it was opened again. Taken up only if there was no
            `Restored` before, since else memory knows better; never lost by the `Rewrite`.
    """

    rows: tuple[Row, ...] = ()


Event = (
    Arrived
    | Refused
    | CancelAsked
    | ForgetAsked
    | PauseSet
    | LimitsSet
    | Paced
    | Drain
    | DrainOver
    | Tick
    | EngineChanging
    | EngineReady
    | EngineLost
    | Prefilled
    | Decoded
    | Completed
    | RunFailed
    | ReplyTaken
    | Restored
    | LedgerLost
    | LedgerBack
    | HouseKnown
)
