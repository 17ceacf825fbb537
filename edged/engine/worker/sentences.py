"""Where an answer that has to end may be cut: behind its last sentence; pure."""

from __future__ import annotations

import re

# Longer than any sentence of an ordinary answer, some 100 tokens: who reads along waits no longer.
MAX_HELD = 400

# A line is over where it breaks. Chinese and Japanese need no blank behind a sentence.
_END = re.compile(r"[.!?…]+[\"'”’»)\]*_]*(?=\s)|[。！？]+[」』”’）]*|(?<=\S)(?=\n)")  # noqa: RUF001 - they are meant
_LAST = re.compile(r"[.!?…]+[\"'”’»)\]*_]*\Z")  # noqa: RUF001 - likewise
_NUMBER = re.compile(r"(?:\A|\n)\s*\d{1,3}\.\Z")


def last_end(text: str, *, final: bool = False) -> int:
    """The length of a text up to the end of its last sentence; 0 if none ends in it.

    Args:
        text: What follows it may still be missing: `21.` may become `21.5`.
        final: Nothing follows.
    """
    ends = [match.end() for match in _END.finditer(text)]
    if final and _LAST.search(text):
        ends.append(len(text))
    sentences = (end for end in reversed(ends) if not _NUMBER.search(text[:end]))
    return next(sentences, 0)


class Tail:
    """The end of a text, held back to whole sentences because it may be cut at any token."""

    def __init__(self) -> None:
        self._held = ""
        self._ended = False

    def feed(self, text: str) -> str:
        """What may leave: sentences that are whole, or one that is too long to wait for."""
        self._held += text
        end = last_end(self._held)
        self._ended |= end > 0
        if not end and len(self._held) > MAX_HELD:
            end, self._ended = len(self._held), False
        whole, self._held = self._held[:end], self._held[end:]
        return whole

    def close(self, rest: str, *, cut: bool) -> str:
        """What is left to leave.

        Args:
            rest: The last piece of the text.
            cut: More was to come. Then it ends with its last sentence, if one ended while it was
                held back, and else with its last word.
        """
        text = self._held + rest
        if not cut:
            return text
        end = last_end(text, final=True)
        return text[:end] if end or self._ended else text.rstrip()
