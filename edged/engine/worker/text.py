"""From the bytes of tokens to text that may be shown; pure, and in constant time per token."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


# What stands for bytes that are no character.
REPLACEMENT = "\ufffd"


class TextStream:
    """Decodes UTF-8 as it comes and stops at a stop string.

    What it returns never splits a character, never holds a stop string or a part of one, and is
    held back no longer than it may still become one. Bytes that cannot become a character are
    U+FFFD as soon as that is certain.

    Args:
        stop: Strings that end the answer and are not part of it; none is empty.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._stop = tuple(stop)
        # A tail can be the beginning of a stop string only if it is shorter than the string.
        self._longest = max((len(string) - 1 for string in stop), default=0)
        self._held = ""
        self.stopped = False

    def feed(self, piece: bytes) -> str:
        """The text that `piece` settles; empty once stopped."""
        text = self._decode(piece)
        if not self._stop or not text:
            return text
        return self._match(text)

    def close(self) -> str:
        """What was held back, when the answer ends for another reason."""
        if self.stopped:
            return ""
        rest = self._held + self._decode(b"", final=True)
        self._held = ""
        return self._match(rest, final=True) if self._stop and rest else rest

    def _match(self, text: str, *, final: bool = False) -> str:
        if self.stopped:
            return ""
        text = self._held + text
        found = [at for string in self._stop if (at := text.find(string)) >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)]
        keep = 0 if final else self._possible(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _possible(self, text: str) -> int:
        """The length of the longest tail with which a stop string begins."""
        for length in range(min(self._longest, len(text)), 0, -1):
            tail = text[-length:]
            if any(string.startswith(tail) for string in self._stop):
                return length
        return 0
