"""What the topics of fields said last, and the snapshot that a persona makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from edged import personatext
from edged.serving import fact
from edged.settings import field_topics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.serving.request import Message, Request
    from edged.settings import FieldConfig, PersonaConfig

# A broker sends what it retains right behind the subscription.
REPLAY_S = 5.0


class Heard(Struct, frozen=True):
    """The newest message of one topic.

    Attributes:
        payload: Its bytes; not empty.
        at: Monotonic seconds since when that is known.
        connection: The number of the connection that brought it.
        kept: The broker retains something on this topic.
    """

    payload: bytes
    at: float
    connection: int
    kept: bool


class Told(Struct, frozen=True):
    """A request as the engine is to read it.

    Attributes:
        request: With the snapshot before what is asked.
        missing: Fields of it that have no value.
    """

    request: Request
    missing: tuple[str, ...] = ()


class Facts:
    """The newest payload of each topic that some field reads; in memory alone.

    Args:
        personas: Those of the configuration.
    """

    def __init__(self, personas: Iterable[PersonaConfig]) -> None:
        self._personas = {each.name: each for each in personas if each.fields}
        self._snapshots = {
            name: personatext.parts(each.system)[1] for name, each in self._personas.items()
        }
        self.topics = field_topics(self._personas.values())
        self._heard: dict[str, Heard] = {}
        self._connection = 0
        self._since = 0.0

    def hear(
        self, topic: str, payload: bytes, now: float, *, connection: int, retained: bool
    ) -> None:
        """Take a message; an empty one says that there is nothing any more.

        Args:
            topic: Where it was; one that no field reads is passed over.
            payload: Its bytes, of a size that whoever calls has bounded.
            now: Monotonic seconds.
            connection: The number of the connection that brought it.
            retained: The broker had kept it.
        """
        if topic not in self.topics:
            return
        old = self._heard.pop(topic, None)
        if not payload:
            return
        # Sent again because we connected again: that makes it no younger.
        again = old is not None and old.payload == payload and old.connection != connection
        at = old.at if old is not None and again and retained else now
        kept = retained or (old is not None and old.kept)
        self._heard[topic] = Heard(payload, at, connection, kept)

    def connected(self, connection: int, now: float) -> None:
        """A connection stands; its broker sends again what it retains."""
        self._connection, self._since = connection, now

    def told(self, request: Request, now: float) -> Told:
        """The request with its persona's snapshot right before what is asked, as things are now."""
        persona = self._personas.get(request.persona or "")
        if persona is None:
            return Told(request)
        found = self._found(persona, now)
        values = {field.name: _said(field, found[field.name]) for field in persona.fields}
        snapshot = personatext.fill(self._snapshots[persona.name], values)
        messages = (*request.messages[:-1], _before(snapshot, request.messages[-1]))
        return Told(replace(request, messages=messages), _missing(found))

    def missing(self, now: float) -> tuple[str, ...]:
        """Fields that have no value, each behind the name of its persona and a dot."""
        return tuple(
            f"{persona.name}.{name}"
            for persona in self._personas.values()
            for name in _missing(self._found(persona, now))
        )

    def _found(self, persona: PersonaConfig, now: float) -> dict[str, str | None]:
        return {field.name: self._words(field, now) for field in persona.fields}

    def _words(self, field: FieldConfig, now: float) -> str | None:
        heard = self._heard.get(field.topic)
        if heard is None or self._gone(heard, now):
            return None
        if field.max_age_s is not None and now - heard.at > field.max_age_s:
            return None
        return fact.words(heard.payload, field.path, field.max_chars)

    def _gone(self, heard: Heard, now: float) -> bool:
        """Whether the broker kept it once and does no longer: it was cleared while we were away."""
        sent_again = heard.connection >= self._connection
        return heard.kept and not sent_again and now - self._since > REPLAY_S


def _missing(found: dict[str, str | None]) -> tuple[str, ...]:
    return tuple(name for name, text in found.items() if text is None)


def _said(field: FieldConfig, text: str | None) -> str:
    if text is None:
        return field.default
    return f"{text} {field.unit}" if field.unit else text


def _before(snapshot: str, asked: Message) -> Message:
    return replace(asked, content=f"{snapshot}\n\n{asked.content}")
