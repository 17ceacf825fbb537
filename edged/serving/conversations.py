"""The conversations by session, in memory alone; bounded in number, text, tokens and age."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from msgspec import Struct

from edged.serving.conversation import ANSWER_SHARE, Conversation, Recalled, size, trimmed
from edged.serving.request import Message

if TYPE_CHECKING:
    from edged.serving.request import Request, SessionId

# Of all texts together; a Pi has better uses for its memory.
MAX_ALL_BYTES = 8 * 1024 * 1024


class Bounds(Struct, frozen=True, kw_only=True):
    """How much is kept of what was said.

    Attributes:
        capacity: Conversations kept at once; those whose requests run come on top.
        max_tokens: Tokens of earlier turns before a prompt; None: half of the context.
        max_age_s: Seconds without use after which one is forgotten.
    """

    capacity: int = 32
    max_tokens: int | None = None
    max_age_s: float = 3600.0


class Conversations:
    """What was said in each session; a request of it recalls it, and adds a turn if it is answered.

    Attributes:
        bounds: An owner may change them.
        context: Tokens of prompt and answer together; 0 until an engine said so.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.context = 0
        # The one unused for longest first.
        self._known: OrderedDict[SessionId, Conversation] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def count(self, id_: str | None) -> int:
        """How many sessions have this id, each with an owner of its own; None: how many there are.

        Args:
            id_: As clients name it.
        """
        return len(self._named(id_))

    def recall(
        self, request: Request, session: SessionId, most: int | None, now: float
    ) -> Recalled:
        """What the prompt of a request that starts now begins with; `close` must follow.

        Args:
            request: Of the session; no other one of it may be open.
            session: Which one.
            most: At most so many turns; None: as many as there is room for.
            now: Seconds of the caller's clock.
        """
        self.expire(now)
        conversation = self._known.setdefault(session, Conversation(now))
        self._known.move_to_end(session)
        conversation.used_at, conversation.open = now, True
        *own, asked = request.messages
        lead, persona = conversation.lead, conversation.persona
        if own:
            lead, persona = tuple(own), request.persona
        turns = conversation.turns
        if most is not None:
            turns = turns[max(0, len(turns) - most) :]
        rate = conversation.tokens_per_byte
        answer = min(request.max_tokens, ANSWER_SHARE * self.context)
        room = self.context - answer - rate * size((*lead, asked))
        return Recalled(
            session=session,
            conversation=conversation,
            lead=lead,
            persona=persona,
            turns=trimmed(turns, rate, min(room, self._limit)),
            asked=asked,
        )

    def close(self, recalled: Recalled, said: str | None, tokens: int, now: float) -> None:
        """The run is over.

        Args:
            recalled: What it began with.
            said: Its answer; None leaves the conversation as it was.
            tokens: Of prompt and answer together, if there is one.
            now: Seconds of the caller's clock.
        """
        session, conversation = recalled.session, recalled.conversation
        conversation.open = False
        if self._known.get(session) is not conversation:
            return  # forgotten while it ran
        conversation.used_at = now
        if said is not None:
            answer = Message(role="assistant", content=said)
            conversation.keep(recalled, answer, tokens, self._limit)
        if not conversation.turns:
            del self._known[session]
        self._evict()

    def forget(self, id_: str | None) -> None:
        """Let go of the sessions of this id, whoever owns them; None: of all.

        Requests of them that run add nothing any more.
        """
        for session in self._named(id_):
            del self._known[session]

    def expire(self, now: float) -> None:
        """Let go of those that were not used for too long."""
        idle = [
            session
            for session, conversation in self._known.items()
            if not conversation.open and now - conversation.used_at > self.bounds.max_age_s
        ]
        for session in idle:
            del self._known[session]

    @property
    def _limit(self) -> int:
        given = self.bounds.max_tokens
        return self.context // 2 if given is None else given

    def _named(self, id_: str | None) -> list[SessionId]:
        return [session for session in self._known if id_ is None or session.id == id_]

    def _evict(self) -> None:
        """The ones unused for longest make room; one whose request runs is in use."""
        idle = [session for session, kept in self._known.items() if not kept.open]
        surplus = len(idle) - self.bounds.capacity
        total = sum(conversation.size for conversation in self._known.values())
        for place, session in enumerate(idle):
            if place >= surplus and total <= MAX_ALL_BYTES:
                return
            total -= self._known.pop(session).size
