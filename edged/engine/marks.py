"""Which system prompts ordinary requests use again and again; none of their text is kept."""

from __future__ import annotations

import hashlib

MIN_CHARS = 64  # a shorter one is read in the time it takes to restore it
MIN_USES = 3
# Counted at once; the longest unused falls out. A client that puts the time of day into each of
# its system prompts fills this and nothing else.
MAX_COUNTED = 256
_DIGEST_BYTES = 16


class Uses:
    """Counts system prompts by their digests."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def count(self, text: str) -> int:
        """How often this text came, this time included."""
        key = digest(text)
        number = self._counts.pop(key, 0) + 1
        self._counts[key] = number
        if len(self._counts) > MAX_COUNTED:
            del self._counts[next(iter(self._counts))]
        return number


def digest(text: str) -> str:
    """A name for a text, in hex."""
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()
