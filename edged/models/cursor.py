"""Reads GGUF's little-endian values from a prefix of the file and never past its end."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, NoReturn

MAX_HEADER_BYTES = 32 << 20  # the largest vocabularies of 2026 need 15 MiB
MAX_STRING_BYTES = 1 << 20  # a chat template; the longest seen has 30 KiB
MAX_NAME_BYTES = 256  # keys; ggml itself holds tensor names under 64
MAX_ELEMENTS = 1 << 20  # of one array; the largest vocabularies have 262,144 tokens
MAX_STRINGS = 1_000_000  # in all arrays: 262,144 tokens and their merges, and 0.15 s to walk them
KEPT_ELEMENTS = 512  # an array of one number per block, and llama.cpp has at most 512 blocks

STRING, ARRAY, BOOL = 8, 9, 7
UINT32, INT32, FLOAT32 = 4, 5, 6

_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q"}
_SCALARS = {code: struct.Struct("<" + key) for code, key in (_FORMATS | {12: "d"}).items()}
_U64 = struct.Struct("<Q").unpack_from


class Bad(Exception):  # noqa: N818 - ends in a BadHeader, which is a value
    """The header breaks a rule."""


class More(Exception):  # noqa: N818 - as above
    """The prefix ends before the header does.

    Attributes:
        needed: Bytes from the start of the file that the next step takes.
    """

    def __init__(self, needed: int) -> None:
        super().__init__()
        self.needed = needed


class Array(NamedTuple):
    """An array that was stepped over.

    Attributes:
        kind: The type of its elements.
        length: How many there are.
        values: The elements if they are few numbers, else empty.
    """

    kind: int
    length: int
    values: tuple[Any, ...]


def bad(reason: str) -> NoReturn:
    """End the reading.

    Raises:
        Bad: Always.
    """
    raise Bad(reason)


class Cursor:
    """A place in the prefix that only moves forward.

    Args:
        data: The first bytes of the file.
        file_size: Bytes of the whole file.
    """

    def __init__(self, data: memoryview, file_size: int) -> None:
        self.position = 0
        self.kind = 0  # the type of the last metadata value
        self._data = data
        self._file_size = file_size
        self._strings = 0

    def require(self, end: int, what: str) -> None:
        """Make sure that the prefix reaches to `end`."""
        if end <= len(self._data):
            return
        if end > self._file_size:
            bad(f"the file ends within {what}")
        if end > MAX_HEADER_BYTES:
            bad(f"the header is over {MAX_HEADER_BYTES} bytes")
        raise More(end)

    def require_room(self, size: int) -> None:
        """Make sure that the file has `size` more bytes at all."""
        if self.position + size > self._file_size:
            bad("the file is too short for its counts")

    def number(self, kind: int, what: str) -> Any:
        """One int, float or bool."""
        reader = _SCALARS[kind]
        self.require(self.position + reader.size, what)
        (value,) = reader.unpack_from(self._data, self.position)
        self.position += reader.size
        if kind == BOOL:
            return value == 1 if value in {0, 1} else bad(f"{what} is neither true nor false")
        return value

    def text(self, what: str, limit: int = MAX_STRING_BYTES) -> str:
        """One string of UTF-8."""
        length = self.number(10, what)
        if length > limit:
            bad(f"{what} has {length} bytes, over {limit}")
        start, end = self.position, self.position + length
        self.require(end, what)
        self.position = end
        try:
            return str(self._data[start:end], "utf-8")
        except UnicodeDecodeError:
            bad(f"{what} is not UTF-8")

    def name(self, what: str, limit: int = MAX_NAME_BYTES) -> str:
        """One string that can be printed: no NUL, no control character, not empty."""
        name = self.text(what, limit)
        if not name or not name.isprintable():
            bad(f"{what} is empty or has control characters")
        return name

    def value(self, what: str) -> Any:
        """One metadata value with its type before it: a number, text or `Array`."""
        self.kind = kind = self.number(UINT32, what)
        if kind == STRING:
            return self.text(what)
        if kind == ARRAY:
            return self._array(what)
        if kind not in _SCALARS:
            bad(f"{what} has the unknown value type {kind}")
        return self.number(kind, what)

    def _array(self, what: str) -> Array:
        kind = self.number(UINT32, what)
        count = self.number(10, what)
        if count > MAX_ELEMENTS:
            bad(f"{what} has {count} elements, over {MAX_ELEMENTS}")
        if kind == STRING:
            self._skip_strings(count, what)
            return Array(kind, count, ())
        if kind not in _SCALARS:
            bad(f"{what} has elements of the type {kind}, unknown or not allowed there")
        size = _SCALARS[kind].size
        self.require(self.position + size * count, what)
        if count <= KEPT_ELEMENTS:
            return Array(kind, count, tuple(self.number(kind, what) for _ in range(count)))
        self.position += size * count
        return Array(kind, count, ())

    def _skip_strings(self, count: int, what: str) -> None:
        self._strings += count
        if self._strings > MAX_STRINGS:
            bad(f"{what} makes more than {MAX_STRINGS} strings in arrays")
        data, place, left = self._data, self.position, count
        # the one hot loop: nothing is checked per string, since a length can only lead forward
        # and the first read behind the end fails
        try:
            for left in range(count, 0, -1):  # noqa: B007 - tells how far it came
                place += 8 + _U64(data, place)[0]
        except (struct.error, OverflowError):
            self.require(place + 8 * left, what)
        self.require(place, what)
        self.position = place
