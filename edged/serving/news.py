"""What the house is told of each terminal reply, beside the reply itself: `edged/<node>/event`."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import msgspec

from edged.serving.request import ReplyError, SessionUse, Timings, Usage  # noqa: TC001 - msgspec resolves them

if TYPE_CHECKING:
    from edged.serving.request import Reply

# Home Assistant's recorder drops all attributes of a state when their JSON is over 16,384 bytes;
# what is left of that is for the other keys and its own.
MAX_TEXT_BYTES = 12 * 1024
# Home Assistant's words where they are not those of a reply.
EVENT_TYPES = {"ok": "completed"}
_QUOTES = 2


class News(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A terminal reply as Home Assistant's event entity reads it: its keys become attributes.

    Attributes:
        event_type: completed, failed, expired, cancelled or rejected.
        truncated: The text is only the beginning; all of it is in the reply.
    """

    event_type: str
    id: str
    truncated: bool
    text: str | None = None
    finish_reason: str | None = None
    session: SessionUse | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    variant: str | None = None
    error: ReplyError | None = None


def encode(reply: Reply) -> bytes:
    """The reply as an event, its text cut to what a recorder keeps."""
    whole = _text(reply)
    text = None if whole is None else cut(whole, MAX_TEXT_BYTES)
    news = News(
        event_type=EVENT_TYPES.get(reply.status, reply.status),
        id=reply.id,
        truncated=text != whole,
        text=text,
        finish_reason=reply.finish_reason,
        session=reply.session,
        usage=reply.usage,
        timings=reply.timings,
        variant=reply.variant,
        error=reply.error,
    )
    return msgspec.json.encode(news)


def _text(reply: Reply) -> str | None:
    """The answer as text, whatever it is."""
    if reply.choice is not msgspec.UNSET:
        return reply.choice
    return reply.text if reply.json is msgspec.UNSET else bytes(reply.json).decode()


def cut(text: str, limit: int) -> str:
    """The longest beginning of a text that takes at most `limit` bytes as JSON, without quotes.

    Args:
        text: Without lone surrogates.
        limit: In bytes; 0 leaves nothing.
    """
    if _size(text) <= limit:
        return text
    ends = range(min(len(text), limit) + 1)
    return text[: bisect_right(ends, limit, key=lambda end: _size(text[:end])) - 1]


def _size(text: str) -> int:
    return len(msgspec.json.encode(text)) - _QUOTES
