"""Bytes from the wire to a request, and a reply to bytes. Hostile input is the normal case.

A payload whose first byte after white space is `{` is a JSON request; all else is a prompt.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeGuard

import msgspec
from msgspec import Struct, field

from edged.serving import compose
from edged.serving.bad import Bad, fail
from edged.serving.request import (
    BadRequest,
    Priority,
    Reply,
    Request,
    SessionId,
)
from edged.serving.scan import Fault, scan
from edged.serving.text import plain, quote
from edged.serving.wire import WireHead, WireRequest, misnamed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edged.serving.request import Envelope, Message

# Half of the 256 KiB packets that the session lets in; some 30,000 tokens, beyond any context here.
MAX_PAYLOAD_BYTES = 131072
# MQTT allows 64 KiB; it is stored and sent back, and a UUID is 36 bytes.
MAX_CORRELATION_BYTES = 1024

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ID_SHAPE = "1 to 64 of A-Z a-z 0-9 . _ -"
_JSON_START = re.compile(rb"[ \t\r\n]*+\{")
_HEAD = msgspec.json.Decoder(WireHead)
_WIRE = msgspec.json.Decoder(WireRequest)
_AT = re.compile(r"(?s)(.*) - at `\$\.?(.*)`")


class Rules(Struct, frozen=True):
    """What the configuration has to say about requests.

    Attributes:
        max_tokens: Tokens of a reply where the request does not say.
        max_tokens_limit: The most tokens a request may ask for.
        may_reply_to: Whether replies may go to this topic.
        personas: What stands before a prompt, by the persona's name.
    """

    max_tokens: int
    max_tokens_limit: int
    may_reply_to: Callable[[str], bool]
    personas: Mapping[str, tuple[Message, ...]] = field(default_factory=dict)


class _Address:
    """Where an answer goes; known bit by bit, so that an error goes as near as it can."""

    def __init__(self, envelope: Envelope, fresh_id: str) -> None:
        self.id = fresh_id
        self.client = envelope.client if is_id(envelope.client) else ""
        self.named = bool(self.client)
        self.reply_to: str | None = None
        self.correlation: bytes | None = None

    def route(self, topic: str, rules: Rules, source: str) -> None:
        """Take a topic for the reply, if replies may go there."""
        if not rules.may_reply_to(topic):
            fail("bad_reply_topic", f"{source} {quote(topic)} is not one that replies may go to")
        self.reply_to = topic
        if not self.named:
            self.client = topic


def is_id(text: object) -> TypeGuard[str]:
    """Whether this can be an id: it becomes a topic level and a log field."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def encode(reply: Reply) -> bytes:
    """The reply as JSON; what is None is left out."""
    return msgspec.json.encode(reply)


def parse(payload: bytes, envelope: Envelope, fresh_id: str, rules: Rules) -> Request | BadRequest:
    """Decode and check everything.

    Args:
        payload: As it came from the broker.
        envelope: What came with it.
        fresh_id: The id for a request that brings none.
        rules: Limits and allowed reply topics.

    Returns:
        A request whose every field is in range, or what is wrong with the payload and where.
    """
    address = _Address(envelope, fresh_id)
    try:
        return _parse(payload, envelope, address, rules)
    except Bad as bad:
        return BadRequest(
            id=address.id,
            client=address.client,
            code=bad.code,
            message=plain(bad.message),
            reply_to=address.reply_to,
            correlation=address.correlation,
        )


def _parse(payload: bytes, envelope: Envelope, address: _Address, rules: Rules) -> Request:
    _read_properties(envelope, address, rules)
    if len(payload) > MAX_PAYLOAD_BYTES:
        fail("too_large", f"{len(payload)} bytes, the limit is {MAX_PAYLOAD_BYTES}")
    _check_utf8(payload)
    if _JSON_START.match(payload):
        wire = _read_json(payload, address, rules)
    else:
        wire = WireRequest(prompt=payload.decode())
    return _request(wire, envelope, address, rules)


def _read_properties(envelope: Envelope, address: _Address, rules: Rules) -> None:
    correlation = envelope.correlation
    if correlation is not None and len(correlation) > MAX_CORRELATION_BYTES:
        size = len(correlation)
        fail("bad_field", f"correlation data: {size} bytes, the limit is {MAX_CORRELATION_BYTES}")
    address.correlation = correlation
    if envelope.response_topic is not None:
        address.route(envelope.response_topic, rules, "response topic")


def _check_utf8(payload: bytes) -> None:
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        fail("bad_encoding", f"not UTF-8: {error.reason} at byte {error.start}")


def _read_json(payload: bytes, address: _Address, rules: Rules) -> WireRequest:
    keys = scan(payload)
    if isinstance(keys, Fault):
        fail(keys.code, keys.message)
    try:
        _read_head(_HEAD.decode(payload), address, rules)
        if wrong := misnamed(keys):
            fail(*wrong)
        return _WIRE.decode(payload)
    except msgspec.ValidationError as error:
        fail("bad_field", _explain(str(error)))
    except msgspec.DecodeError as error:
        fail("bad_json", f"{error} in {len(payload)} bytes")


def _read_head(head: WireHead, address: _Address, rules: Rules) -> None:
    if isinstance(head.id, str):
        if not is_id(head.id):
            fail("bad_id", f"id {quote(head.id)} is not {_ID_SHAPE}")
        address.id = head.id
    # The response topic of MQTT 5 wins; then this key is only checked for its type.
    if isinstance(head.reply_to, str) and address.reply_to is None:
        address.route(head.reply_to, rules, "reply_to")


def _request(wire: WireRequest, envelope: Envelope, address: _Address, rules: Rules) -> Request:
    max_tokens = rules.max_tokens if wire.max_tokens is None else wire.max_tokens
    if max_tokens > rules.max_tokens_limit:
        fail("bad_field", f"max_tokens: {max_tokens}, the limit is {rules.max_tokens_limit}")
    lead = compose.lead(wire, envelope.topic_persona, rules.personas)
    return Request(
        id=address.id,
        client=address.client,
        messages=compose.messages(wire, lead),
        session=_session(wire, address),
        max_tokens=max_tokens,
        sampling=compose.sampling(wire),
        stop=wire.stop or (),
        schema=compose.schema(wire),
        choices=compose.choices(wire),
        none_of=wire.none_of,
        priority=Priority[(wire.priority or "normal").upper()],
        expires_in=compose.expiry(wire, envelope.expiry_s),
        answer_within=wire.answer_within,
        stream=wire.stream is not False,
        reply_to=address.reply_to,
        correlation=address.correlation,
        persona=compose.persona(wire, envelope.topic_persona),
    )


def _session(wire: WireRequest, address: _Address) -> SessionId | None:
    """The conversation meant; one that a client owns only if it says who it is.

    Reply topics name no owner: many clients take a new one for each request.
    """
    if wire.session is None:
        return None
    if not is_id(wire.session):
        fail("bad_field", f"session: {quote(wire.session)} is not {_ID_SHAPE}")
    if wire.messages is not None:
        fail("bad_field", "messages and session are both given; a session keeps the earlier turns")
    return SessionId(id=wire.session, owner=address.client if address.named else "")


def _explain(error: str) -> str:
    """The decoder's words with the place in front: `stop[3]: Expected str, got int`."""
    match = _AT.fullmatch(error)
    what, where = match.groups() if match else (error, "")
    return f"{where or 'request'}: {what.replace('`', '')}"
