"""From what the broker and the child say to the dispatcher's events."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import msgspec

from edged.engine import frames
from edged.serving import events, message
from edged.serving.request import BadRequest, Envelope, Ticket, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.mqtt.packet import Incoming
    from edged.serving.message import Rules

NO_ID = "(not an id)"
FRESH_ID_BYTES = 8  # 64 random bits: no two of a house's prompts meet


def request_event(
    incoming: Incoming,
    persona: str | None,
    rules: Rules,
    place: Callable[[str], str] | None = None,
) -> events.Event:
    """A message on a request topic, parsed.

    Args:
        incoming: The message; not a retained one.
        persona: The topic level after `request/`, if any.
        rules: Limits that the configuration sets.
        place: Where the reply of an id goes if the request names no topic; None: the node's own.
    """
    ticket = ticket_of(incoming)
    envelope = Envelope(
        ticket=ticket,
        dup=incoming.dup,
        retain=incoming.retain,
        topic_persona=persona,
        response_topic=incoming.response_topic,
        correlation=incoming.correlation,
        expiry_s=incoming.expiry_s,
        client=dict(incoming.user).get("client"),
    )
    fresh_id = secrets.token_hex(FRESH_ID_BYTES)
    parsed = message.parse(incoming.payload, envelope, fresh_id, rules)
    if place is not None and parsed.reply_to is None:
        parsed = msgspec.structs.replace(parsed, reply_to=place(parsed.id))
    mark = fingerprint(incoming)
    if isinstance(parsed, BadRequest):
        return events.Refused(bad=parsed, ticket=ticket, dup=incoming.dup, fingerprint=mark)
    return events.Arrived(request=parsed, ticket=ticket, dup=incoming.dup, fingerprint=mark)


def ticket_of(incoming: Incoming) -> Ticket:
    """What an acknowledgement of this message needs."""
    return Ticket(connection=incoming.connection, mid=incoming.mid, qos=incoming.qos)


def fingerprint(incoming: Incoming) -> str | None:
    """Knows a redelivery of the same packet; None for QoS 0, which is never redelivered.

    The message expiry is left out: the broker counts it down.
    """
    if incoming.qos == 0:
        return None
    parts = (
        incoming.mid,
        incoming.topic,
        incoming.payload,
        incoming.response_topic,
        incoming.correlation,
        incoming.user,
    )
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()


def cancel_event(incoming: Incoming) -> events.CancelAsked:
    """A message on the cancel topic: an id as plain text."""
    text = incoming.payload[:256].decode(errors="replace").strip()
    # The id goes into the log where it is unknown; a prompt on the wrong topic must not.
    return events.CancelAsked(id=text if message.is_id(text) else NO_ID)


def frame_event(frame: frames.FromChild) -> events.Event | None:
    """A frame of the child; None for those that concern only the report."""
    match frame:
        case frames.Prefill():
            return events.Prefilled(
                key=frame.key, done=frame.done, total=frame.total, planned=frame.planned
            )
        case frames.Delta():
            return events.Decoded(key=frame.key, text=frame.text, tokens=frame.tokens)
        case frames.Failed():
            return events.RunFailed(key=frame.key, code=frame.code, message=frame.message)
        case frames.Done():
            return _completed(frame)
        case _:
            return None


def _completed(frame: frames.Done) -> events.Completed:
    usage = Usage(
        prompt_tokens=frame.prompt_tokens,
        cached_tokens=frame.cached_tokens,
        completion_tokens=frame.completion_tokens,
    )
    return events.Completed(
        key=frame.key,
        finish_reason=frame.finish_reason,
        usage=usage,
        prompt_ms=frame.prompt_ms,
        predicted_ms=frame.predicted_ms,
        ttft_ms=frame.ttft_ms,
        scores=frame.scores,
    )
