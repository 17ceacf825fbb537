"""Model files on this machine."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from edged.errors import ModelError
from edged.models.cursor import MAX_HEADER_BYTES
from edged.models.gguf import BadHeader, Header, read

if TYPE_CHECKING:
    from pathlib import Path

FIRST_BYTES = 8 << 20  # a vocabulary of 150,000 tokens in one step; each step walks it anew
_CHUNK = 1 << 20


def check_file(path: Path) -> Header:
    """The header of a model file that is safe to hand to the engine's process.

    Args:
        path: A GGUF file; a link to one will do.

    Raises:
        ModelError: It is missing, special, empty, cut off or breaks a rule; the text names the
            file and the fault.
    """
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _fault(path, _reason(error)) from error
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise _fault(path, "not a regular file")
        if facts.st_size == 0:
            raise _fault(path, "empty")
        return _check(path, handle, facts.st_size)
    except OSError as error:
        raise _fault(path, _reason(error)) from error
    finally:
        os.close(handle)


def _check(path: Path, handle: int, size: int) -> Header:
    # read and not mapped: a file cut while mapped would kill this process with SIGBUS
    data = bytearray()
    wanted = FIRST_BYTES
    while True:
        _fill(handle, data, min(wanted, size))
        if len(data) < min(wanted, size):
            raise _fault(path, "it shrinks while it is read")
        found = read(data, size)
        if isinstance(found, Header):
            return found
        if isinstance(found, BadHeader):
            raise _fault(path, found.reason)
        wanted = max(found.bytes, min(2 * len(data), MAX_HEADER_BYTES))


def _fill(handle: int, data: bytearray, wanted: int) -> None:
    while len(data) < wanted:
        chunk = os.read(handle, min(_CHUNK, wanted - len(data)))
        if not chunk:
            return
        data += chunk


def _reason(error: Exception) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)


def _fault(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path}: {reason}")
