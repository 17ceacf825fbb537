"""How fast a file comes from the disk, past the kernel's cache and without pushing anything out."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

from edged.doctor.facts import ReadSpeed, Skipped

if TYPE_CHECKING:
    from pathlib import Path

    from edged.clock import Clock

MOST_BYTES = 64 << 20
MOST_S = 2.0
# Below it the disk's first answer counts for more than its rate.
LEAST_BYTES = 1 << 20
CHUNK = 1 << 20


def read_speed(path: Path, clock: Clock) -> ReadSpeed | Skipped:
    """Read at most 64 MiB or two seconds of a file.

    Args:
        path: A model file; nothing is written.
        clock: To time it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_DIRECT)
    except OSError as error:
        return Skipped(f"{path} cannot be read past the cache: {error.strerror}")
    try:
        size = os.fstat(handle).st_size
        began = clock.monotonic()
        done = _read(handle, clock, began)
        passed = clock.monotonic() - began
    except OSError as error:
        return Skipped(f"{path} cannot be read past the cache: {error.strerror}")
    finally:
        os.close(handle)
    if done < LEAST_BYTES or passed <= 0:
        return Skipped(f"{path.name} is too small to time")
    return ReadSpeed(file=path.name, size=size, read=done, seconds=passed)


def _read(handle: int, clock: Clock, began: float) -> int:
    done = 0
    with mmap.mmap(-1, CHUNK) as page:  # the disk wants memory that begins at a page
        while done < MOST_BYTES and clock.monotonic() - began < MOST_S:
            count = os.preadv(handle, [page], done)
            done += count
            if count < CHUNK:  # the end
                break
    return done
