"""The JSON form of a request: its keys, their types and ranges."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from edged.serving.text import quote

# A conversation that is longer does not fit any context a Pi can hold.
MAX_MESSAGES = 64
# 32 KiB are about 8,000 tokens: 12 minutes of reading on a Pi 5 at 11 tok/s.
MAX_SYSTEM_CHARS = 32768
MAX_STOPS = 8
MAX_STOP_CHARS = 64
# A week; who waits longer than that has another plan.
MAX_EXPIRY_S = 604800
# A selector of a house has some ten options; each costs a few tokens of reading.
MIN_CHOICES = 2
MAX_CHOICES = 64
MAX_CHOICE_CHARS = 200
MAX_SEED = 2**32 - 1

_Choice = Annotated[str, Meta(min_length=1, max_length=MAX_CHOICE_CHARS)]
_Choices = Annotated[tuple[_Choice, ...], Meta(min_length=MIN_CHOICES, max_length=MAX_CHOICES)]
_Stop = Annotated[str, Meta(min_length=1, max_length=MAX_STOP_CHARS)]


class WireMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of a conversation, as sent."""

    role: Literal["system", "user", "assistant"]
    content: str


class WireRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Every key that is understood; None: not given."""

    id: str | None = None
    prompt: str | None = None
    messages: Annotated[tuple[WireMessage, ...], Meta(max_length=MAX_MESSAGES)] | None = None
    system: Annotated[str, Meta(max_length=MAX_SYSTEM_CHARS)] | None = None
    persona: str | None = None
    session: str | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=5)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=1000)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repeat_penalty: Annotated[float, Meta(ge=0.5, le=2)] | None = None
    seed: Annotated[int, Meta(ge=0, le=MAX_SEED)] | None = None
    stop: Annotated[tuple[_Stop, ...], Meta(max_length=MAX_STOPS)] | None = None
    schema: dict[str, Any] | None = None
    choices: _Choices | None = None
    none_of: Annotated[float, Meta(gt=0, le=1)] | None = None
    priority: Literal["urgent", "normal", "background"] | None = None
    expires_in: Annotated[float, Meta(ge=0, le=MAX_EXPIRY_S)] | None = None
    answer_within: Annotated[float, Meta(gt=0, le=MAX_EXPIRY_S)] | None = None
    stream: bool | None = None
    reply_to: str | None = None


class WireHead(Struct, frozen=True):
    """The two keys that say where an error goes, of whatever type they are."""

    id: object = None
    reply_to: object = None


KEYS = frozenset(WireRequest.__struct_fields__)


def misnamed(keys: tuple[str, ...]) -> tuple[str, str] | None:
    """Code and message about the first key that is not understood."""
    for key in keys:
        if key not in KEYS:
            near = difflib.get_close_matches(key[:MAX_STOP_CHARS], sorted(KEYS), n=1)
            hint = f", did you mean {near[0]}?" if near else ""
            return "unknown_field", f"unknown key {quote(key)}{hint}"
    return None
