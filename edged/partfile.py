"""A large file that grows at its end until it is whole, and is then put into its place.

The bytes are handed to the disk as they come and dropped from memory again: else 10 GB of a
download would push out the pages of the model that is being served.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING

from edged.errors import StorageError
from edged.files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READ_BYTES = 4 << 20  # 10 to 50 ms from a card: so often is a reader free to give up
MODE = 0o644  # model files are no secret, and `edged models` may be asked by anybody


class PartFile:
    """The beginning of a file, for one process at a time.

    Args:
        path: Made if it is not there; it belongs to the owner of its folder.

    Raises:
        StorageError: It cannot be opened or is no regular file; `errno` is EWOULDBLOCK while
            another process has it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._told("opened"):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            self._handle = os.open(path, flags, 0o600)
        try:
            with self._told("opened"):
                self._take(path.parent.stat())
        except BaseException:
            os.close(self._handle)
            raise

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return os.fstat(self._handle).st_size

    def cut(self, size: int) -> None:
        """Keep the first `size` bytes; raises StorageError."""
        with self._told("cut"):
            os.ftruncate(self._handle, size)
            os.lseek(self._handle, 0, os.SEEK_END)

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end; what fits stays there even if StorageError is raised."""
        rest = memoryview(data)
        with self._told("written"):
            while rest:
                rest = rest[os.write(self._handle, rest) :]

    def sync(self) -> int:
        """Let all that is there survive a power cut; raises StorageError.

        Returns:
            How many bytes that are.
        """
        with self._told("synced"):
            size = self.size
            os.fdatasync(self._handle)
            os.posix_fadvise(self._handle, 0, size, os.POSIX_FADV_DONTNEED)
        return size

    def chunks(self) -> Iterator[bytes]:
        """The whole of it, from the disk rather than from memory; raises StorageError."""
        with self._told("read"):
            yield from _chunks(self._handle)

    def stamp(self) -> tuple[int, int, int, int]:
        """Device, inode, bytes and the time of the last change, as a fingerprint has it."""
        facts = os.fstat(self._handle)
        return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns

    def publish(self, target: Path) -> None:
        """Sync it and give it its name, whether one had that before; raises StorageError."""
        with self._told("published"):
            os.fchmod(self._handle, MODE)
            os.fsync(self._handle)  # before the rename, or a power cut leaves a name for nothing
            os.replace(self._path, target)  # noqa: PTH105 - tests break each call of this module
            sync_folder(target.parent)

    def remove(self) -> None:
        """Take it away; raises StorageError."""
        with self._told("removed"):
            os.unlink(self._path)  # noqa: PTH108 - as above

    def close(self) -> None:
        """Let go of it; the bytes stay."""
        os.close(self._handle)

    def _take(self, folder: os.stat_result) -> None:
        if not stat.S_ISREG(os.fstat(self._handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(self._handle).st_ino != self._path.stat().st_ino:
            # whoever had it put it into its place between our opening and our lock
            raise OSError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
        if os.geteuid() == 0:  # `sudo edged pull` into the folder of the service's user
            os.fchown(self._handle, folder.st_uid, folder.st_gid)
        os.lseek(self._handle, 0, os.SEEK_END)

    def _told(self, what: str) -> contextlib.AbstractContextManager[None]:
        return _told(self._path, what)


def read_whole(path: Path) -> Iterator[bytes]:
    """All bytes of a file of any size, and none of them left in memory.

    Raises:
        StorageError: It cannot be read.
    """
    with _told(path, "read"):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            yield from _chunks(handle)
        finally:
            os.close(handle)


def _chunks(handle: int) -> Iterator[bytes]:
    place = 0
    while data := os.pread(handle, READ_BYTES, place):
        os.posix_fadvise(handle, place, len(data), os.POSIX_FADV_DONTNEED)
        place += len(data)
        yield data


@contextlib.contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        fault = StorageError(f"{path} cannot be {what}: {reason}")
        fault.errno = error.errno if isinstance(error, OSError) else None
        raise fault from error
