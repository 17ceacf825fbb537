"""What memory a process takes, as the kernel counts it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

KIB: Final = 1024
PROC: Final = Path("/proc")


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes at one moment; the greatest since the start where it says so.

    Attributes:
        anonymous: What cannot be dropped: heap, caches, rearranged weights.
        file: Mapped pages of files, such as the model's, that are in memory.
        peak: The most that was resident at once, of both.
    """

    anonymous: int
    file: int
    peak: int


def footprint(pid: int, proc: Path = PROC) -> Footprint:
    """Of a process that lives."""
    lines = (proc / str(pid) / "status").read_text().splitlines()
    sizes = {
        name: int(rest.split()[0]) * KIB
        for name, _, rest in (line.partition(":") for line in lines)
        if rest.endswith(" kB")
    }
    return Footprint(
        anonymous=sizes["RssAnon"], file=sizes["RssFile"] + sizes["RssShmem"], peak=sizes["VmHWM"]
    )


def larger(first: Footprint, second: Footprint) -> Footprint:
    """The larger of each."""
    return Footprint(
        anonymous=max(first.anonymous, second.anonymous),
        file=max(first.file, second.file),
        peak=max(first.peak, second.peak),
    )
