"""What the kernel's text files say, each parsed with suspicion: what is no number is unknown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

KIB = 1024
MAX_BYTES = 1 << 60  # more memory than any machine has; a control group without a limit says 2^63
# What changes which of llama.cpp's kernels run, as /proc/cpuinfo names it.
FEATURES = frozenset(
    {
        "asimd",
        "asimddp",
        "asimdhp",
        "avx",
        "avx2",
        "avx512_bf16",
        "avx512_vnni",
        "avx512bw",
        "avx512f",
        "avx_vnni",
        "bmi2",
        "f16c",
        "fma",
        "i8mm",
        "sve",
        "sve2",
    }
)
# Linux does not name Arm's cores; these are those of boards people run models on.
_ARM_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd0b": "Cortex-A76",
    "0xd41": "Cortex-A78",
}
_MOUNT_FIELDS, _MOUNT_POINT, _MOUNT_DEVICE = 6, 4, 2  # of /proc/self/mountinfo
_SWAP_COLUMNS, _SWAP_SIZE = 5, 2  # of /proc/swaps


def number(text: str) -> int | None:
    """A whole number of a size there can be, or None."""
    text = text.strip()
    if not re.fullmatch(r"[0-9]{1,19}", text) or int(text) >= MAX_BYTES:
        return None
    return int(text)


def meminfo(text: str) -> dict[str, int]:
    """Bytes of each line of /proc/meminfo that is in kB."""
    found = re.findall(r"^([A-Za-z_()0-9]+):\s+(\d{1,15}) kB$", text, re.MULTILINE)
    return {key: int(count) * KIB for key, count in found}


def cpu_features(text: str) -> tuple[str, ...]:
    """Those of `FEATURES` that /proc/cpuinfo names for its first processor, sorted."""
    line = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return tuple(sorted(FEATURES & set(line[1].split()))) if line else ()


def cpu_name(text: str) -> str | None:
    """The processor's name in /proc/cpuinfo; Arm says it by number."""
    name = re.search(r"^model name\s*:\s*(\S.*)$", text, re.MULTILINE)
    if name:
        return " ".join(name[1].split())
    part = re.search(r"^CPU part\s*:\s*(0x[0-9a-f]{1,4})\s*$", text, re.MULTILINE)
    return _ARM_PARTS.get(part[1], f"Arm part {part[1]}") if part else None


def cores(text: str) -> int:
    """Physical cores of /proc/cpuinfo; 0 if it tells of none.

    Threads of one core say the same `physical id` and `core id`; Arm has neither, and no such
    threads.
    """
    seen = set()
    for index, block in enumerate(text.split("\n\n")):
        if not re.search(r"^processor\s*:", block, re.MULTILINE):
            continue
        place = re.findall(r"^(?:physical id|core id)\s*:\s*(\d+)$", block, re.MULTILINE)
        seen.add(tuple(place) if place else (f"block {index}",))
    return len(seen)


def swaps(text: str) -> tuple[int, int]:
    """Bytes of swap on disk and of swap in compressed memory, from /proc/swaps."""
    disk = zram = 0
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) < _SWAP_COLUMNS:
            continue
        size = (number(columns[_SWAP_SIZE]) or 0) * KIB
        if columns[0].rpartition("/")[2].startswith("zram"):
            zram += size
        else:
            disk += size
    return disk, zram


def group_paths(text: str) -> dict[int, str]:
    """The paths of our control groups in /proc/self/cgroup: of version 2, and of 1's memory."""
    found = {}
    for line in text.splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0" and not controllers:
            found[2] = path
        elif "memory" in controllers.split(","):
            found[1] = path
    return found


def lineage(path: str) -> Iterator[str]:
    """A group's path and those above it, without the first slash; the root is the empty text.

    A name of `..` stands for a group outside our namespace and is passed over.
    """
    parts = [part for part in path.split("/") if part not in {"", ".", ".."}]
    for count in range(len(parts), -1, -1):
        yield "/".join(parts[:count])


def file_pages(text: str) -> int:
    """Bytes of files' pages in a group's memory.stat, of either version; 0 if it does not tell."""
    counts = {key: value for key, _, value in (line.partition(" ") for line in text.splitlines())}
    prefix = "total_" if "total_active_file" in counts else ""  # version 1: with groups below
    kinds = ("active_file", "inactive_file")
    return sum(number(counts.get(f"{prefix}{kind}", "")) or 0 for kind in kinds)


def mount_device(text: str, path: str) -> str | None:
    """`major:minor` of what is mounted where `path` is, from /proc/self/mountinfo."""
    best, device = "", None
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < _MOUNT_FIELDS:
            continue
        point = fields[_MOUNT_POINT].replace("\\040", " ")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # a later mount hides the earlier
            best, device = point, fields[_MOUNT_DEVICE]
    return device
