"""Saved prefixes in a folder: written once, verified before anyone reads them, bounded in bytes.

Its methods block; all are called in one thread.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from edged.engine.shelf import Found, make_room, surplus
from edged.engine.statefd import Taken, look, pieces, take
from edged.engine.statefile import KEY_BYTES, BadState, Header, file_bytes, file_name, seal
from edged.errors import StorageError
from edged.files import read_bounded, sweep, write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY_FILE = "key"
SUFFIX = ".state"
# Left free for the house: its own database grows on the same card.
RESERVE_BYTES = 256 << 20

_NAME = re.compile(rf"[0-9a-f]{{32}}{re.escape(SUFFIX)}")


class Removed(msgspec.Struct, frozen=True):
    """A file that is gone, and why."""

    file: str
    reason: str


class Opened(msgspec.Struct, frozen=True):
    """What the folder has."""

    found: tuple[Found, ...]
    removed: tuple[Removed, ...]


class Kept(msgspec.Struct, frozen=True):
    """What became of a save.

    Attributes:
        found: The file; None if all that would have to go for it is worth more.
        removed: What had to go.
    """

    found: Found | None
    removed: tuple[Removed, ...] = ()


class StateStore:
    """The folder.

    Args:
        folder: Made if it is not there; what others put into it stays untouched.
        limit: Bytes of all states together; 0 keeps none.
        wall: The time of day, for stamps.
        reserve: Bytes that stay free on the disk.
    """

    def __init__(
        self, folder: Path, limit: int, wall: Callable[[], float], reserve: int = RESERVE_BYTES
    ) -> None:
        self._folder = folder
        self._limit = limit
        self._wall = wall
        self._reserve = reserve
        self._key = b""
        self._found: dict[str, Found] = {}

    @property
    def limit(self) -> int:
        """Bytes of all states together."""
        return self._limit

    def open(self) -> Opened:
        """Look what is there, and throw out what is not ours or too much.

        Raises:
            StorageError: The folder or the key in it cannot be made or read.
        """
        if not self._limit and not self._folder.is_dir():
            return Opened((), ())
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sweep(self._folder)
            removed = self._open_key()
            removed += self._list()
        except StorageError:
            raise
        except OSError as error:
            raise _fault(self._folder, str(error.strerror)) from error
        for found in surplus(self._found.values(), self._limit):
            self.delete(found.file)
            removed.append(Removed(found.file, "no room"))
        return Opened(tuple(self._found.values()), tuple(removed))

    def take(self, file: str) -> Taken | BadState:
        """Open a file that `open` found, if it is what we wrote; it is deleted if it is not."""
        taken = take(self._folder / file, self._key)
        if isinstance(taken, BadState):
            self.delete(file)
        return taken

    def save(self, header: Header, fd: int, stopped: Callable[[], bool]) -> Kept:
        """Write a state, unless it is there or everything else is worth more.

        Args:
            header: Its `saved_at` is set here.
            fd: A memory file that begins with the state.
            stopped: Whether to give up; asked between pieces.

        Raises:
            StorageError: The disk does not take it, or the memory file is too short; nothing is
                left of it.
        """
        header = msgspec.structs.replace(header, saved_at=self._wall())
        file = file_name(self._key, header.identity, header.messages) + SUFFIX
        known = self._found.pop(file, None)
        if known is not None and (self._folder / file).exists():
            self._found[file] = known
            return Kept(known)
        size = file_bytes(header)
        gone = make_room(self._found.values(), header, size, self._limit)
        if gone is None:
            return Kept(None)
        self._check_space(size)
        self._write(file, header, fd, stopped)
        # Only now: a disk that refuses the new one shall not cost the old ones too.
        for found in gone:
            self.delete(found.file)
        self._found[file] = Found(file=file, bytes=size, header=header)
        return Kept(self._found[file], tuple(Removed(found.file, "no room") for found in gone))

    def delete(self, file: str) -> bool:
        """Delete a file; False if it is still there."""
        self._found.pop(file, None)
        try:
            os.unlink(self._folder / file)  # noqa: PTH108 - the calls of this file are os's
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _open_key(self) -> list[Removed]:
        """The key of this installation; without a good one what was written with it is lost."""
        path = self._folder / KEY_FILE
        try:
            self._key = read_bounded(path, KEY_BYTES)
        except StorageError as error:
            if error.errno not in {None, errno.ENOENT}:
                raise
            self._key = b""
        if len(self._key) == KEY_BYTES:
            return []
        self._key = secrets.token_bytes(KEY_BYTES)
        write_atomic(path, self._key)
        gone = self._names()
        for file in gone:
            self.delete(file)
        return [Removed(file, "written with a key that is lost") for file in gone]

    def _names(self) -> list[str]:
        with os.scandir(self._folder) as entries:
            return sorted(entry.name for entry in entries if _NAME.fullmatch(entry.name))

    def _list(self) -> list[Removed]:
        removed = []
        for file in self._names():
            found = look(self._folder / file)
            if isinstance(found, BadState):
                self.delete(file)
                removed.append(Removed(file, found.reason))
            else:
                self._found[file] = found
        return removed

    def _check_space(self, size: int) -> None:
        try:
            disk = os.statvfs(self._folder)
        except OSError as error:
            raise _fault(self._folder, str(error.strerror)) from error
        if disk.f_bavail * disk.f_frsize - size < self._reserve:
            raise _fault(self._folder, f"less than {self._reserve >> 20} MiB would be left free")

    def _write(self, file: str, header: Header, fd: int, stopped: Callable[[], bool]) -> None:
        path = self._folder / file

        def state() -> Iterator[memoryview]:
            return pieces(fd, 0, header.state_bytes, stopped)

        try:
            write_atomic(path, chain([seal(self._key, header, state())], state()))
        except StorageError:
            raise
        except OSError as error:  # of the memory file
            raise _fault(path, str(error.strerror)) from error


def _fault(path: Path, reason: str) -> StorageError:
    return StorageError(f"{path}: {reason}")
