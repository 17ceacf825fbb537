"""The only place where edged reads whole files and replaces them.

After a power cut a file written here is the old one or the new one, byte for byte.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from typing import TYPE_CHECKING

from edged.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_TEMP = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
_CHUNK = 1 << 20  # bytes asked of the kernel at a time
_ZEROS = bytes(4 << 20)  # the longest hole of one piece; compared with, they take no memory


def read_bounded(path: Path, limit: int) -> bytes:
    """The whole file, if it is a regular one of at most `limit` bytes.

    Raises:
        StorageError: It is not, or cannot be read; `errno` tells the reason if the system gave one.
    """
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _fault(path, "cannot be read", error) from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _fault(path, "is not a regular file")
        return _read(handle, path, limit)
    except StorageError:
        raise
    except OSError as error:
        raise _fault(path, "cannot be read", error) from error
    finally:
        os.close(handle)


def write_atomic(path: Path, data: bytes | Iterable[bytes | memoryview], mode: int = 0o600) -> None:
    """Replace the file by one with these bytes, or leave it as it was.

    Args:
        path: A regular file or nothing; its folder must exist.
        data: All of the new content, as a whole or in pieces; what taking a piece raises leaves
            here as it is, and nothing is replaced.
        mode: Permission bits of the new file, whatever the umask.

    Raises:
        StorageError: Nothing was replaced, or (if only the folder could not be synced) the new
            content is in place but might not survive a power cut.
    """
    try:
        _refuse_special(path)
        temp = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            _write_temp(temp, [data] if isinstance(data, bytes) else data, mode)
            os.replace(temp, path)  # noqa: PTH105 - tests break each call of this one module
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temp)  # noqa: PTH108 - as above
            raise
        sync_folder(path.parent)
    except StorageError:
        raise
    except (OSError, ValueError) as error:
        raise _fault(path, "cannot be written", error) from error


def write_scratch(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write a file that is read at once and removed: it need not survive a power cut.

    Pieces of nothing but zeros take no room on disk.

    Raises:
        StorageError: It exists, or cannot be written; nothing of it is left then.
    """
    try:
        _write_temp(path, pieces, 0o600, sync=False)
    except (OSError, ValueError) as error:
        if not isinstance(error, FileExistsError):
            path.unlink(missing_ok=True)
        raise _fault(path, "cannot be written", error) from error


def sweep(folder: Path, name: str = "") -> int:
    """Remove what `write_atomic` left in a folder when it was killed; returns how many files.

    Args:
        folder: Where it wrote.
        name: How the names of the files begin that it was to replace; no other process may be
            writing one of them.

    Raises:
        StorageError: The folder cannot be read, or a file in it cannot be removed.
    """
    try:
        stale = [
            entry.path
            for entry in os.scandir(folder)
            if entry.name.startswith(f".{name}") and _TEMP.fullmatch(entry.name)
        ]
        for path in stale:
            os.unlink(path)  # noqa: PTH108 - as above
    except OSError as error:
        raise _fault(folder, "cannot be cleaned", error) from error
    return len(stale)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut; raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move(path: Path, target: Path) -> None:
    """Give a file another name on the same disk, for good.

    Raises:
        StorageError: It has its old name still, or (if only a folder could not be synced) might
            have it again after a power cut.
    """
    try:
        os.replace(path, target)  # noqa: PTH105 - as above
        sync_folder(target.parent)
        sync_folder(path.parent)
    except OSError as error:
        raise _fault(path, f"cannot be moved to {target}", error) from error


def remove(path: Path) -> bool:
    """Take a file away for good; returns whether it was there.

    Raises:
        StorageError: It is there still, or might be again after a power cut.
    """
    try:
        os.unlink(path)  # noqa: PTH108 - as above
        sync_folder(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _fault(path, "cannot be removed", error) from error
    return True


def _read(handle: int, path: Path, limit: int) -> bytes:
    data = bytearray()
    # sizes in /proc and of a growing file are not to be trusted, so the bytes are counted
    while chunk := os.read(handle, min(_CHUNK, limit + 1 - len(data))):
        data += chunk
        if len(data) > limit:
            raise _fault(path, f"is larger than {limit} bytes")
    return bytes(data)


def _refuse_special(path: Path) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):  # a rename would turn a link or device into a plain file
        raise _fault(path, "is not a regular file, so it is not replaced")


def _write_temp(
    temp: Path, pieces: Iterable[bytes | memoryview], mode: int, *, sync: bool = True
) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(temp, flags, 0o600)
    try:
        for piece in pieces:
            if sync or not _is_hole(piece):
                _put(handle, piece)
            else:
                os.lseek(handle, len(piece), os.SEEK_CUR)
        os.fchmod(handle, mode)
        if sync:
            os.fsync(handle)  # before the rename, else a power cut can leave a file of NULs
        else:
            os.ftruncate(handle, os.lseek(handle, 0, os.SEEK_CUR))  # a hole may be the last
    finally:
        os.close(handle)


def _put(handle: int, piece: bytes | memoryview) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _is_hole(piece: bytes | memoryview) -> bool:
    return isinstance(piece, bytes) and _ZEROS.startswith(piece)


def _fault(path: Path, what: str, error: Exception | None = None) -> StorageError:
    if isinstance(error, OSError):
        fault = StorageError(f"{path} {what}: {error.strerror}")
        fault.errno = error.errno
        return fault
    return StorageError(f"{path} {what}" if error is None else f"{path} {what}: {error}")
