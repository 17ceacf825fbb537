"""The values that serving passes around: a request, what carried it, and its reply."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType

Role = Literal["system", "user", "assistant"]
Status = Literal["ok", "rejected", "cancelled", "expired", "failed"]

# U+001F can not occur in an id, so the last one always parts client from id.
KEY_SEPARATOR = "\x1f"


class Priority(IntEnum):
    """What goes first; a lower number is served before a higher one."""

    URGENT = 0
    NORMAL = 1
    BACKGROUND = 2


class Message(Struct, frozen=True, kw_only=True):
    """One turn of a conversation."""

    role: Role
    content: str


class Sampling(Struct, frozen=True, kw_only=True):
    """How the next token is drawn; llama.cpp's names, ranges checked by `message.parse`."""

    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.1
    seed: int | None = None


class SessionId(Struct, frozen=True, kw_only=True):
    """Which conversation a request goes on with.

    Attributes:
        id: As the client names it.
        owner: The client, if it gives its name; empty: whoever does not shares in it.
    """

    id: str
    owner: str = ""


class Request(Struct, frozen=True, kw_only=True):
    """A prompt whose every number is inside its range.

    Attributes:
        id: Names the reply topic; given by the client or made up by us.
        client: Who asked; with `id` the identity of the request. Empty: anonymous.
        messages: The conversation, ending with a user's turn; of one with a session what leads
            and that turn alone.
        session: The conversation that it goes on with.
        max_tokens: The most tokens the reply may have.
        sampling: How tokens are drawn.
        stop: Texts that end the reply.
        schema: A plain JSON Schema as JSON; the reply obeys it.
        choices: The reply is one of these, with the probability of each; nothing is written.
        none_of: The probability below which it is none of them.
        priority: What goes first.
        expires_in: Seconds until it must have started; None: any time will do.
        answer_within: Seconds until it must have ended, cut if need be; None: it may take any time.
        stream: Whether deltas are published while it runs.
        reply_to: A topic that `may_reply_to` allowed; None: the default reply topic.
        correlation: MQTT correlation data, echoed verbatim.
        persona: Whose fields are told before what is asked; None: nobody's.
    """

    id: str
    client: str
    messages: tuple[Message, ...]
    session: SessionId | None = None
    max_tokens: int
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    schema: str | None = None
    choices: tuple[str, ...] = ()
    none_of: float | None = None
    priority: Priority = Priority.NORMAL
    expires_in: float | None = None
    answer_within: float | None = None
    stream: bool = True
    reply_to: str | None = None
    correlation: bytes | None = None
    persona: str | None = None

    @property
    def key(self) -> str:
        """The identity for duplicates, ledger and engine."""
        return f"{self.client}{KEY_SEPARATOR}{self.id}"


class BadRequest(Struct, frozen=True, kw_only=True):
    """A payload that is no request, and what to tell its sender.

    Attributes:
        id: The id the sender gave, if that much could be read, else a fresh one.
        client: As in `Request`.
        code: A stable word: bad_encoding, bad_json, bad_field, bad_id, ...
        message: What is wrong and where; printable and bounded, so safe to log.
        reply_to: An allowed topic; None: the default reply topic.
        correlation: MQTT correlation data, echoed verbatim.
    """

    id: str
    client: str
    code: str
    message: str
    reply_to: str | None = None
    correlation: bytes | None = None


class Ticket(Struct, frozen=True, kw_only=True):
    """What an acknowledgement needs; serving only hands it back."""

    connection: int
    mid: int
    qos: int


class Envelope(Struct, frozen=True, kw_only=True):
    """What came with a payload.

    Attributes:
        ticket: Handed back in `Acknowledge`.
        dup: The broker says that it may have delivered this before.
        retain: The broker kept this message; the daemon never lets such a one in.
        topic_persona: The topic level after `request/`, if there was one.
        response_topic: MQTT 5 response topic.
        correlation: MQTT 5 correlation data.
        expiry_s: MQTT 5 message expiry as received, in seconds.
        client: MQTT 5 user property `client`.
    """

    ticket: Ticket
    dup: bool = False
    retain: bool = False
    topic_persona: str | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
    expiry_s: int | None = None
    client: str | None = None


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens counted by the engine; `cached_tokens` of the prompt were not read anew."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


class SessionUse(Struct, frozen=True, kw_only=True):
    """The session of a request, and how many earlier turns of it stood before the prompt."""

    id: str
    turns: int


class Timings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the time went: milliseconds, and tokens per second.

    Attributes:
        queue_ms: From acceptance to the start of the run.
        ttft_ms: From acceptance to the first token.
        prompt_per_second: Prompt tokens really read, per second of prefill.
        predicted_per_second: Tokens made, per second of decode.
        total_ms: From acceptance to the reply.
    """

    queue_ms: float | None = None
    ttft_ms: float | None = None
    prompt_per_second: float | None = None
    predicted_per_second: float | None = None
    total_ms: float | None = None


class ReplyError(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why there is no full answer, and in how many seconds to try again."""

    code: str
    message: str
    retry_after_s: float | None = None


class Reply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The one terminal answer to a request; what is None is left out on the wire.

    Attributes:
        text: The answer, or as much of it as there is.
        json: The answer to a request with a schema, instead of the text, if it is whole.
        choice: The answer to a request with choices, instead of the text; None is none of them.
        probabilities: Of each choice.
        session: Of a request with a session, once it has run.
    """

    id: str
    status: Status
    text: str | None = None
    json: Raw | UnsetType = UNSET
    choice: str | UnsetType | None = UNSET
    probabilities: dict[str, float] | None = None
    finish_reason: str | None = None
    session: SessionUse | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    variant: str | None = None
    error: ReplyError | None = None
