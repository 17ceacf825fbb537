"""What passes between two decodes, noted by one process and read by another."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from mmap import mmap

COUNT: Final = struct.Struct("<Q")
ENTRY: Final = struct.Struct("<QQQ")
MOST: Final = 200_000  # decodes of all answers between two readings
SIZE: Final = COUNT.size + MOST * ENTRY.size


class Note(NamedTuple):
    """One decode.

    Attributes:
        cpu_ns: CPU time of the thread since the decode before.
        wall_ns: Wall time since then.
        rows: Tokens decoded.
    """

    cpu_ns: int
    wall_ns: int
    rows: int


class Notebook:
    """Notes in a shared page, the number of them first.

    Args:
        page: SIZE bytes, zeros at the beginning.
    """

    def __init__(self, page: mmap | bytearray) -> None:
        self._page = page

    def add(self, cpu_ns: int, wall_ns: int, rows: int) -> None:
        """Note one decode; those beyond MOST are lost."""
        (count,) = COUNT.unpack_from(self._page)
        if count < MOST:
            at = COUNT.size + count * ENTRY.size
            ENTRY.pack_into(self._page, at, cpu_ns, wall_ns, rows)
            COUNT.pack_into(self._page, 0, count + 1)

    def take(self) -> list[Note]:
        """All notes, which are forgotten; only while the writer is idle."""
        (count,) = COUNT.unpack_from(self._page)
        COUNT.pack_into(self._page, 0, 0)
        end = COUNT.size + count * ENTRY.size
        return [Note(*entry) for entry in ENTRY.iter_unpack(self._page[COUNT.size : end])]


def between(notes: Sequence[Note], streams: int) -> list[Note]:
    """Those after which each of the streams had a token to choose, and then to decode."""
    return [note for before, note in pairwise(notes) if before.rows == note.rows == streams]
