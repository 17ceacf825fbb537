"""What the kernel and the boot loader say about their set-up, parsed with suspicion."""

from __future__ import annotations

import re

MAX_NODES = 1024
MAX_PERCENT = 100.0


def nodes(text: str) -> int | None:
    """How many NUMA nodes a list such as `0-7` or `0,2-3` has; None if it is no such list."""
    count = 0
    for part in text.strip().split(","):
        found = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part)
        if found is None:
            return None
        first = int(found[1])
        count += int(found[2] or first) - first + 1
    return count if 1 <= count <= MAX_NODES else None


def banklow(text: str) -> int | None:
    """SDRAM_BANKLOW in what `vcgencmd bootloader_config` prints; None if it is not set."""
    found = re.search(r"^SDRAM_BANKLOW=(\d)\s*$", text, re.MULTILINE)
    return int(found[1]) if found else None


def waiting(text: str) -> float | None:
    """Percent of the last ten seconds in which a task waited, from /proc/pressure/cpu."""
    found = re.search(r"^some avg10=(\d{1,3}(?:\.\d{1,4})?) ", text, re.MULTILINE)
    return float(found[1]) if found and float(found[1]) <= MAX_PERCENT else None


def swapped(meminfo: dict[str, int]) -> int:
    """Bytes in swap, from the table of /proc/meminfo."""
    return max(0, meminfo.get("SwapTotal", 0) - meminfo.get("SwapFree", 0))
