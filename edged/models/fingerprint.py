"""Which model a file holds, told without reading all of it."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from edged.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

# A 10 GB file takes two minutes to hash from an SD card. Its header names every tensor with its
# type and place, and 4 MiB of the weights, spread over the file, differ between any two trainings
# or quantisations of one model. What it can not see is a change between the samples: of a few
# weights by hand, or a sector that rots. Neither is what states are kept apart for; a download is
# checked as a whole before it gets here.
SAMPLES = 64
SAMPLE_BYTES = 64 << 10
DIGEST_BYTES = 32
_CHUNK = 1 << 20

# Device, inode, bytes and the time of the last change in ns.
Stamp: TypeAlias = tuple[int, int, int, int]


class Fingerprint(msgspec.Struct, frozen=True):
    """What a file holds, and how to see that it is still the same file.

    Attributes:
        digest: In hex; equal for copies of a file, wherever they are.
        stamp: Of the file that was read.
    """

    digest: str
    stamp: Stamp


def fingerprint(path: Path, data_offset: int) -> Fingerprint:
    """Identify a model file.

    Args:
        path: A checked GGUF file.
        data_offset: Where its header ends and its tensors begin.

    Raises:
        ModelError: It cannot be read, or it shrinks meanwhile.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return Fingerprint(_digest(handle, data_offset), _stamp(os.fstat(handle)))
        finally:
            os.close(handle)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise ModelError(message) from error


def is_unchanged(path: Path, known: Fingerprint) -> bool:
    """Whether the path still leads to the file that was read, and nobody wrote to it."""
    try:
        return _stamp(os.stat(path)) == known.stamp  # noqa: PTH116 - the same call as above
    except OSError:
        return False


def places(data_offset: int, size: int) -> list[tuple[int, int]]:
    """What is read: (offset, bytes) of the header and of the samples, the last one at the end."""
    last = max(data_offset, size - SAMPLE_BYTES)
    step = max(1, -(-(last - data_offset) // (SAMPLES - 1)))
    starts = [*range(data_offset, last, step), last]
    return [(0, data_offset), *((start, min(SAMPLE_BYTES, size - start)) for start in starts)]


def _digest(handle: int, data_offset: int) -> str:
    size = os.fstat(handle).st_size
    digest = hashlib.blake2b(size.to_bytes(8, "little"), digest_size=DIGEST_BYTES)
    for start, length in places(data_offset, size):
        done = 0
        while done < length:
            chunk = os.pread(handle, min(_CHUNK, length - done), start + done)
            if not chunk:
                raise OSError(0, "it shrinks while it is read")
            digest.update(chunk)
            done += len(chunk)
    return digest.hexdigest()


def _stamp(facts: os.stat_result) -> Stamp:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns
