"""One conversation: whole turns, as many as a prompt has room for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from edged.serving.request import Message, Request, SessionId, SessionUse

if TYPE_CHECKING:
    from collections.abc import Iterable

Messages = tuple[Message, ...]

# A prompt goes to the child with 256 messages at most, and personas have 65 of them.
MAX_TURNS = 64
# Some 16,000 tokens. With a payload, a system text and JSON's escapes a prompt stays in one frame.
MAX_BYTES = 64 * 1024
# What is left when a bound is reached: each cut costs reading all that stays, so they are rare.
KEEP = 0.5
# The most of a context that an answer may claim before earlier turns have to give way to it.
ANSWER_SHARE = 0.25


class Turn(Struct, frozen=True):
    """What was asked, and what was answered."""

    user: Message
    assistant: Message

    @property
    def messages(self) -> Messages:
        """In their order."""
        return self.user, self.assistant


class Conversation:
    """What was said so far.

    Attributes:
        lead: The system text or persona before it all.
        persona: The name of that persona, whose fields are told before what is asked.
        turns: The oldest first.
        tokens_per_byte: Of the whole prompt and its answer, as the engine counted last.
        size: Bytes of text that it keeps.
        used_at: Seconds of the caller's clock.
        open: A request of it runs.
    """

    def __init__(self, now: float) -> None:
        self.lead: Messages = ()
        self.persona: str | None = None
        self.turns: tuple[Turn, ...] = ()
        self.tokens_per_byte = 0.0
        self.size = 0
        self.used_at = now
        self.open = False

    def keep(self, recalled: Recalled, said: Message, tokens: int, limit: float) -> None:
        """Go on by one turn.

        Args:
            recalled: What its prompt began with.
            said: The answer.
            tokens: Of prompt and answer together.
            limit: Tokens that all turns may have.
        """
        turns = (*recalled.turns, Turn(recalled.asked, said))
        lead = size(recalled.lead)
        self.lead, self.persona = recalled.lead, recalled.persona
        self.tokens_per_byte = tokens / (lead + _size(turns))
        self.turns = trimmed(turns, self.tokens_per_byte, limit)
        self.size = lead + _size(self.turns)


class Recalled(Struct, frozen=True, kw_only=True, eq=False):
    """What a run knows of its session from its start on.

    Attributes:
        session: Which one.
        conversation: It, to be told from a later one of the same session.
        lead: What stands before the turns.
        persona: Whose that is, if it is a persona's.
        turns: Those that the prompt holds.
        asked: The newest user's turn.
    """

    session: SessionId
    conversation: Conversation
    lead: Messages
    persona: str | None
    turns: tuple[Turn, ...]
    asked: Message

    @property
    def use(self) -> SessionUse:
        """For the reply."""
        return SessionUse(id=self.session.id, turns=len(self.turns))

    def expand(self, request: Request) -> Request:
        """The request with the whole conversation as its messages."""
        earlier = [message for turn in self.turns for message in turn.messages]
        messages = (*self.lead, *earlier, self.asked)
        return replace(request, messages=messages, persona=self.persona)


def size(messages: Iterable[Message]) -> int:
    """Bytes of their contents."""
    return sum(len(message.content.encode(errors="replace")) for message in messages)


def _size(turns: Iterable[Turn]) -> int:
    return sum(size(turn.messages) for turn in turns)


def trimmed(turns: tuple[Turn, ...], tokens_per_byte: float, limit: float) -> tuple[Turn, ...]:
    """All turns, or the newest ones within half of each bound where they exceed one.

    Args:
        turns: The oldest first.
        tokens_per_byte: To tell tokens from text.
        limit: Tokens that all turns may have.
    """
    sizes = [size(turn.messages) for turn in turns]

    def fit(first: int, share: float) -> bool:
        """Whether the turns from this one on are within so much of each bound."""
        total = sum(sizes[first:])
        few = len(turns) - first <= MAX_TURNS * share and total <= MAX_BYTES * share
        return few and total * tokens_per_byte <= limit * share

    if fit(0, 1.0):
        return turns
    first = 0
    while first < len(turns) - 1 and not fit(first, KEEP):
        first += 1
    return turns[first:] if fit(first, 1.0) else ()
