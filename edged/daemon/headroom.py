"""How much memory is free beyond what is left for the rest of the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.errors import StorageError
from edged.files import read_bounded
from edged.models import procfiles
from edged.models.fit import MIB, default_reserve

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 16_384  # of /proc/meminfo, which has some 55 lines


def headroom(root: Path, reserve_mib: int | None) -> int | None:
    """MiB of memory that could be had now without touching the reserve.

    Args:
        root: The root of the file system.
        reserve_mib: As configured; None is a sixteenth of the memory, within bounds.

    Returns:
        Less than 0 where the reserve is touched; None where the system does not say.
    """
    try:
        text = read_bounded(root / "proc/meminfo", MAX_BYTES).decode(errors="replace")
    except StorageError:
        return None
    memory = procfiles.meminfo(text)
    available, total = memory.get("MemAvailable"), memory.get("MemTotal")
    if available is None or total is None:
        return None
    reserve = default_reserve(total) if reserve_mib is None else reserve_mib * MIB
    return (available - reserve) // MIB
