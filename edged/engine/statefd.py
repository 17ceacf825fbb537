"""Saved prefixes behind a descriptor; what is wrong with one is a reason and no exception."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import msgspec

from edged.engine.shelf import Found
from edged.engine.statefile import (
    FIXED_BYTES,
    BadState,
    Header,
    front_bytes,
    parse_header,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PIECE_BYTES = 1 << 20  # hashed and written at a time; a state has tens of these


class Taken(msgspec.Struct, frozen=True):
    """A verified file.

    Attributes:
        fd: Open for reading; whoever gets this closes it.
        header: What it says.
        offset: Bytes before the state.
    """

    fd: int
    header: Header
    offset: int


def look(path: Path) -> Found | BadState:
    """What a file says about itself, which is not to be believed yet."""
    fd = _open(path)
    if isinstance(fd, BadState):
        return fd
    try:
        read = _front(fd)
    finally:
        os.close(fd)
    if isinstance(read, BadState):
        return read
    front, header = read
    return Found(file=path.name, bytes=len(front) + header.state_bytes, header=header)


def take(path: Path, key: bytes) -> Taken | BadState:
    """Open a file if it is what we wrote, byte for byte."""
    fd = _open(path)
    if isinstance(fd, BadState):
        return fd
    taken = _verified(fd, key)
    if isinstance(taken, BadState):
        os.close(fd)
    return taken


def pieces(
    fd: int, start: int, size: int, stopped: Callable[[], bool] = lambda: False
) -> Iterator[memoryview]:
    """`size` bytes of a file; each piece is valid until the next is asked for.

    Args:
        fd: Open for reading.
        start: Where they begin.
        size: How many.
        stopped: Whether to give up; asked before each piece.

    Raises:
        OSError: While iterating: it cannot be read, is too short, or was to be given up.
    """
    # read and not mapped: a file cut while mapped would kill this process with SIGBUS
    buffer = memoryview(bytearray(min(PIECE_BYTES, size)))
    done = 0
    while done < size:
        if stopped():
            raise OSError(errno.ECANCELED, "stopped")
        count = os.preadv(fd, [buffer[: size - done]], start + done)
        if not count:
            raise OSError(errno.ENODATA, "it is shorter than it says")
        yield buffer[:count]
        done += count


def _open(path: Path) -> int | BadState:
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return BadState(str(error.strerror))


def _verified(fd: int, key: bytes) -> Taken | BadState:
    read = _front(fd)
    if isinstance(read, BadState):
        return read
    front, header = read
    try:
        fault = verify(key, front, pieces(fd, len(front), header.state_bytes))
    except OSError as error:
        return BadState(str(error.strerror))
    return fault or Taken(fd, header, len(front))


def _front(fd: int) -> tuple[bytes, Header] | BadState:
    """What stands before the state, and what it says."""
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            return BadState("not a regular file")
        size = front_bytes(os.pread(fd, FIXED_BYTES, 0))
        if isinstance(size, BadState):
            return size
        front = os.pread(fd, size, 0)
    except OSError as error:
        return BadState(str(error.strerror))
    header = parse_header(front, facts.st_size)
    return header if isinstance(header, BadState) else (front, header)
