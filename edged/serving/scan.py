"""A cheap look at JSON before it is decoded: depth, size, keys given twice.

One regular expression walks over the bytes without backtracking (possessive quantifiers),
and the number of its matches is bounded, so the time is linear and the memory constant
whatever somebody sends.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from edged.serving.text import quote

# A request nests three deep (messages, message, value), its schema two deep for each of 8 levels.
MAX_DEPTH = 24
# 64 messages are 600 tokens; each token costs about half a microsecond, a Pi three times that.
MAX_TOKENS = 4096
# The longest number that means anything here is a seed of 10 digits; a float has 17.
MAX_NUMBER_BYTES = 64

_TOKEN = re.compile(
    rb'"(?P<string>[^"\\]*+(?:\\.[^"\\]*+)*+)"(?P<key>[ \t\r\n]*+:)?+'
    rb"|(?P<open>[\[{])|(?P<close>[\]}])|(?P<other>[^\"\[\]{}]++)|\"",
    re.DOTALL,
)
# Looked for at the beginning of a number only, or each of its digits would count it anew.
_NUMBER = re.compile(rb"(?<![-+.0-9eE])[-+.0-9eE]{%d}" % (MAX_NUMBER_BYTES + 1))


class Fault(Struct, frozen=True):
    """Why this JSON is not decoded at all."""

    code: str
    message: str


class _Walk:
    """Where in the document we are: one set of keys for each open bracket."""

    def __init__(self) -> None:
        self.levels: list[set[bytes]] = []
        self.top: list[str] = []

    def step(self, match: re.Match[bytes]) -> Fault | None:
        kind = match.lastgroup
        if kind == "key":
            return self._key(match["string"], match.start())
        if kind == "open":
            self.levels.append(set())
            if len(self.levels) > MAX_DEPTH:
                return _fault(f"more than {MAX_DEPTH} levels deep at byte {match.start()}")
        elif kind == "close":
            self._close()
        elif kind == "other" and (number := _NUMBER.search(match["other"])):
            at = match.start() + number.start()
            return _fault(f"a number of more than {MAX_NUMBER_BYTES} characters at byte {at}")
        return None

    def _close(self) -> None:
        # Brackets that do not match are for the decoder to find.
        if self.levels:
            self.levels.pop()

    def _key(self, raw: bytes, at: int) -> Fault | None:
        name = _unescaped(raw)
        if not self.levels:
            return None
        if name in self.levels[-1]:
            text = quote(name.decode(errors="replace"))
            return Fault("bad_field", f"the key {text} is given twice, again at byte {at}")
        self.levels[-1].add(name)
        if len(self.levels) == 1:
            self.top.append(name.decode(errors="replace"))
        return None


def scan(payload: bytes) -> Fault | tuple[str, ...]:
    """The keys of the outermost object in order, or why not to go on.

    Broken JSON gives some keys or other: the decoder will tell what is wrong and where.

    Args:
        payload: At most `message.MAX_PAYLOAD_BYTES`, valid UTF-8.
    """
    walk = _Walk()
    for count, match in enumerate(_TOKEN.finditer(payload)):
        if match.lastgroup is None:
            break  # a string without an end: each further look would read to the end again
        if count >= MAX_TOKENS:
            return _fault(f"more than {MAX_TOKENS} values, keys and brackets")
        if fault := walk.step(match):
            return fault
    return tuple(walk.top)


def _unescaped(raw: bytes) -> bytes:
    if b"\\" not in raw:
        return raw
    try:
        return msgspec.json.decode(b'"' + raw + b'"', type=str).encode()
    except msgspec.DecodeError:
        return raw


def _fault(message: str) -> Fault:
    return Fault("bad_json", message)
