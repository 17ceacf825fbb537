"""Which saved prefixes a bounded disk keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.engine.statefile import Header

# Personas and marks of two or three settings; more files are not worth reading their headers.
MAX_FILES = 128


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A saved prefix on disk.

    Attributes:
        file: Its name.
        bytes: Of the whole file.
        header: What it says about itself.
    """

    file: str
    bytes: int
    header: Header


def worth(header: Header) -> tuple[bool, int]:
    """Personas first, then by the tokens that need not be read again."""
    return header.name is not None, header.tokens * max(1, header.uses)


def surplus(files: Iterable[Found], limit: int) -> list[Found]:
    """What has to go so that the rest takes at most `limit` bytes, the least valuable first."""
    ranked = sorted(files, key=_rank)
    excess = sum(found.bytes for found in ranked) - limit
    count = len(ranked) - MAX_FILES
    gone: list[Found] = []
    for found in ranked:
        if excess <= 0 and len(gone) >= count:
            break
        gone.append(found)
        excess -= found.bytes
    return gone


def make_room(files: Iterable[Found], header: Header, size: int, limit: int) -> list[Found] | None:
    """What has to go for a new file of `size` bytes; None if the new one is not worth that.

    Only what is worth less goes: of two equals that do not fit together, the second would push out
    the first at each start.
    """
    rest = list(files)
    excess = sum(found.bytes for found in rest) + size - limit
    count = len(rest) + 1 - MAX_FILES
    gone: list[Found] = []
    for found in sorted(rest, key=_rank):
        if excess <= 0 and len(gone) >= count:
            break
        if worth(found.header) >= worth(header):
            return None
        gone.append(found)
        excess -= found.bytes
    return gone if excess <= 0 and len(gone) >= count else None


def _rank(found: Found) -> tuple[tuple[bool, int], float, str]:
    return worth(found.header), found.header.saved_at, found.file
