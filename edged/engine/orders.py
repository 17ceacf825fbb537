"""What the keeping of prefixes wants done: errands for the child, work for the disk, news."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from edged.engine.frames import Messages
    from edged.engine.statefile import Header


class Restore(msgspec.Struct, frozen=True, kw_only=True):
    """Verify this file, then let the child read its state."""

    key: str
    messages: Messages
    file: str


class Learn(msgspec.Struct, frozen=True, kw_only=True):
    """Let the child read this when it is idle."""

    key: str
    messages: Messages


class Save(msgspec.Struct, frozen=True, kw_only=True):
    """Let the child write its state, then put that on disk."""

    key: str
    header: Header


class Unlearn(msgspec.Struct, frozen=True, kw_only=True):
    """The child need not keep this."""

    key: str


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """Delete this file."""

    file: str
    reason: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The child knows a prefix from now on.

    Attributes:
        name: The persona's; None of one that was marked by its use.
        tokens: Its length.
        source: Where it came from.
        ms: How long that took.
    """

    name: str | None
    tokens: int
    source: Literal["disk", "read"]
    ms: float


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """The child will not know a prefix, at least not in this life of it."""

    name: str | None
    reason: str


Order = Restore | Learn | Save | Unlearn | Delete | Known | GivenUp
