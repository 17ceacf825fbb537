"""From well-typed JSON to the parts of a request: what no type can say is checked here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.serving import schema as schemas
from edged.serving.bad import fail
from edged.serving.request import Message, Sampling
from edged.serving.text import quote
from edged.serving.wire import MAX_EXPIRY_S, WireRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

# JSON repeats its quotes and commas, which a penalty would make it do without.
_SCHEMA_PENALTY = 1.0


def sampling(wire: WireRequest) -> Sampling:
    """What is given, and our defaults for the rest."""
    given = {name: getattr(wire, name) for name in Sampling.__struct_fields__}
    if wire.schema is not None and wire.repeat_penalty is None:
        given["repeat_penalty"] = _SCHEMA_PENALTY
    return Sampling(**{name: value for name, value in given.items() if value is not None})


def expiry(wire: WireRequest, expiry_s: int | None) -> float | None:
    """The smaller of the request's and the MQTT message's, in seconds."""
    given = [wire.expires_in] if wire.expires_in is not None else []
    if expiry_s is not None:
        # Brokers count in 32 bits; beyond our range is as good as its end.
        given.append(float(min(max(expiry_s, 0), MAX_EXPIRY_S)))
    return min(given, default=None)


def schema(wire: WireRequest) -> str | None:
    """The schema of the answer in its plain form."""
    if wire.schema is None:
        return None
    if wire.stop:
        fail("bad_field", "stop: it would cut an answer that obeys a schema")
    return schemas.plain(wire.schema)


def choices(wire: WireRequest) -> tuple[str, ...]:
    """What is to be chosen from, each once."""
    if wire.choices is None:
        if wire.none_of is not None:
            fail("bad_field", "none_of: there are no choices")
        return ()
    if wire.stop or wire.schema is not None:
        fail("bad_field", "choices: nothing is written, so there is no stop and no schema")
    for place, choice in enumerate(wire.choices):
        if choice.isspace():
            fail("bad_field", f"choices[{place}]: it is blank")
        if choice in wire.choices[:place]:
            fail("bad_field", f"choices[{place}]: {quote(choice)} is given twice")
    return wire.choices


def persona(wire: WireRequest, topic: str | None) -> str | None:
    """The name of the persona that answers, by the key or the topic."""
    return topic if wire.persona is None else wire.persona


def lead(
    wire: WireRequest, topic: str | None, personas: Mapping[str, tuple[Message, ...]]
) -> tuple[Message, ...]:
    """What stands before the conversation: the persona's messages, or the system text.

    Args:
        wire: What was sent.
        topic: The persona that the topic names.
        personas: Those there are.
    """
    name = persona(wire, topic)
    if name is None:
        return () if wire.system is None else (Message(role="system", content=wire.system),)
    if topic is not None and name != topic:
        fail("bad_field", f"persona: it is {quote(name)}, and {quote(topic)} in the topic")
    if wire.system is not None:
        fail("bad_field", "system: the persona brings one already")
    if name not in personas:
        known = ", ".join(sorted(personas)) or "none"
        fail("unknown_persona", f"persona {quote(name)} is not configured; known: {known}")
    return personas[name]


def messages(wire: WireRequest, lead: tuple[Message, ...]) -> tuple[Message, ...]:
    """The conversation: what leads first, a user's turn last."""
    turns = _turns(wire)
    if lead and turns[0].role == "system":
        key = "system" if wire.system is not None else "persona"
        fail("bad_field", f"{key}: messages begin with a system message already")
    return (*lead, *turns)


def _turns(wire: WireRequest) -> tuple[Message, ...]:
    if wire.prompt is not None and wire.messages is not None:
        fail("bad_field", "prompt and messages are both given")
    if wire.messages is None:
        prompt = wire.prompt or ""
        _check_text(prompt, "the prompt")
        return (Message(role="user", content=prompt),)
    for place, message in enumerate(wire.messages):
        if message.role == "system" and place > 0:
            fail("bad_field", f"messages[{place}].role: system can only be the first")
    if not wire.messages or wire.messages[-1].role != "user":
        fail("bad_field", "messages: the last one must be of role user")
    _check_text(wire.messages[-1].content, "the last message")
    return tuple(Message(role=turn.role, content=turn.content) for turn in wire.messages)


def _check_text(text: str, what: str) -> None:
    if not text or text.isspace():
        fail("empty", f"{what} is empty")
