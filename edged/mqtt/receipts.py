"""Which replies the broker took although its PUBACK never reached us.

QoS 1 alone delivers a reply twice when the connection or the process dies between the
broker's taking it and its PUBACK. So behind every reply, in the same TCP stream, goes a
retained list of the last replies written. The broker handles a stream in order: what the
list names, it took. A new connection reads the list before it sends anything again.
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

# At most 20 replies are ever unconfirmed at once, so three times as many are remembered.
MAX_RECEIPTS = 64
# Six bytes: a false match among 64 is one in 4e12, and the list stays under 1 KiB.
DIGEST_BYTES = 6


def digest(tag: str) -> str:
    """How a tag is named in the list: short, and it tells a stranger nothing."""
    return hashlib.blake2b(tag.encode(), digest_size=DIGEST_BYTES).hexdigest()


def parse(payload: bytes) -> tuple[str, ...]:
    """The digests of a list, oldest first; empty if it is not one of ours."""
    try:
        return tuple(msgspec.json.decode(payload, type=list[str])[-MAX_RECEIPTS:])
    except (msgspec.DecodeError, RecursionError):
        return ()


class Receipts:
    """The digests of the last replies written, oldest first."""

    def __init__(self) -> None:
        self._digests: deque[str] = deque(maxlen=MAX_RECEIPTS)

    def adopt(self, digests: Iterable[str]) -> None:
        """Go on from the list the broker kept: what ours had besides, it never took."""
        self._digests.clear()
        self._digests.extend(digests)

    def written(self, tag: str) -> bytes:
        """Add a reply and return the list to publish right behind it."""
        name = digest(tag)
        if name in self._digests:
            self._digests.remove(name)
        self._digests.append(name)
        return msgspec.json.encode(list(self._digests))
