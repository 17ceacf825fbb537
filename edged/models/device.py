"""Facts of the board: what its kernel and firmware tell, each of them optional."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edged.errors import StorageError
from edged.files import read_bounded
from edged.models import procfiles
from edged.models.facts import DeviceFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.models.facts import Storage

MAX_FILE_BYTES = 4 << 20  # /proc/cpuinfo of a server with 512 processors has 1 MiB
MAX_DIRECTORIES = 256  # hwmon, cooling devices: a PC has a dozen
MAX_TEXT = 256  # characters of a name
PI_PAGE_BYTES = 16_384  # of the Pi 5's own kernel, whose release ends in 2712
DEFAULT_PAGE_BYTES = 4096
CELL_BYTES = 4  # a device tree's number, big-endian


class Roots(msgspec.Struct, frozen=True):
    """Where to look.

    Attributes:
        root: Of the file system: proc and sys are under it. A recorded board is a folder with them.
        models: The folder for model files; None if its disk is of no interest.
        live: It is this machine, so what only a system call tells is true of it.
    """

    root: Path = Path("/")
    models: Path | None = None
    live: bool = True


def recorded(tree: Path) -> Roots:
    """A board whose files were copied into a folder.

    Its models directory is the folder named in `models-directory`, if that file is there.
    """
    named = _Tree(tree).text("models-directory")
    return Roots(tree, Path(named) if named else None, live=False)


def probe(roots: Roots) -> DeviceFacts:
    """What is known of the board; never raises.

    Args:
        roots: This machine, or a recorded one.
    """
    tree = _Tree(roots.root)
    memory = procfiles.meminfo(tree.table("proc/meminfo"))
    processor = tree.table("proc/cpuinfo")
    ram = memory.get("MemTotal", 0)
    limit, used = _control_group(tree)
    swap, zram = procfiles.swaps(tree.table("proc/swaps"))
    kernel = tree.text("proc/sys/kernel/osrelease") or None
    board = _board(tree)
    return DeviceFacts(
        board=board,
        architecture=_architecture(roots, processor),
        cpu=_short(procfiles.cpu_name(processor)),
        cores=_cores(roots, processor),
        cpu_features=procfiles.cpu_features(processor),
        ram_bytes=ram,
        available_bytes=memory.get("MemAvailable", 0),
        cgroup_limit_bytes=limit,
        cgroup_used_bytes=used,
        page_bytes=_page(roots, kernel or ""),
        kernel=kernel,
        governor=tree.text("sys/devices/system/cpu/cpufreq/policy0/scaling_governor") or None,
        max_khz=procfiles.number(
            tree.text("sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq")
        ),
        firmware=_firmware(tree),
        storage=_storage(roots, tree),
        free_bytes=_free(roots),
        swap_bytes=swap,
        zram_bytes=zram,
        cooler=_cooler(tree, board),
    )


def board_name(root: Path) -> str | None:
    """The device tree's or the firmware's name of the board; None if there is none.

    Args:
        root: The root of the file system.
    """
    return _board(_Tree(root))


class _Tree:
    """Small text files under a root; what cannot be read is empty."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def bytes(self, name: str) -> bytes:
        """The file, or nothing if it is missing, special or larger than any such file."""
        try:
            return read_bounded(self._root / name, MAX_FILE_BYTES)
        except StorageError:
            return b""

    def table(self, name: str) -> str:
        """The same as text of many lines."""
        return self.bytes(name).decode(errors="replace")

    def text(self, name: str) -> str:
        """The first characters, without white space and NULs around them."""
        return self.table(name)[:MAX_TEXT].strip("\0 \t\r\n")

    def folders(self, name: str) -> Iterator[str]:
        """Names under the root of what is in a folder, sorted."""
        try:
            found = sorted(os.listdir(self._root / name))[:MAX_DIRECTORIES]  # noqa: PTH208 - names
        except OSError:
            return
        yield from (f"{name}/{each}" for each in found)

    def parent(self, name: str) -> Path | None:
        """Where a link under the root leads, as an absolute path of the recorded system."""
        try:
            return (self._root / name).resolve()
        except (OSError, RuntimeError):  # RuntimeError: a loop of links, before Python 3.13
            return None


def _board(tree: _Tree) -> str | None:
    names = (
        tree.text("proc/device-tree/model"),
        tree.text("sys/firmware/devicetree/base/model"),
        tree.text("sys/class/dmi/id/product_name"),
    )
    return next((_short(name) for name in names if name), None)


def _short(name: str | None) -> str | None:
    printable = "".join(char for char in name or "" if char.isprintable())
    return printable[:MAX_TEXT] or None


def _architecture(roots: Roots, processor: str) -> str:
    if roots.live:
        return platform.machine()
    return "aarch64" if "CPU implementer" in processor else "x86_64"


def _cores(roots: Roots, processor: str) -> int:
    physical = procfiles.cores(processor)
    if not roots.live:
        return max(1, physical)
    allowed = len(os.sched_getaffinity(0))
    return max(1, min(physical or allowed, allowed))


def _page(roots: Roots, kernel: str) -> int:
    if roots.live:
        return os.sysconf("SC_PAGE_SIZE")
    return PI_PAGE_BYTES if kernel.endswith("2712") else DEFAULT_PAGE_BYTES


def _firmware(tree: _Tree) -> str | None:
    cell = tree.bytes("proc/device-tree/chosen/bootloader/build-timestamp")
    if len(cell) == CELL_BYTES and any(cell):
        return datetime.fromtimestamp(int.from_bytes(cell, "big"), UTC).date().isoformat()
    return tree.text("sys/class/dmi/id/bios_date") or None


def _control_group(tree: _Tree) -> tuple[int | None, int | None]:
    """The least limit of the groups that we are in, and what is charged to that group."""
    groups = procfiles.group_paths(tree.table("proc/self/cgroup"))
    places = {2: ("sys/fs/cgroup", "memory.max", "memory.current")}
    places[1] = ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
    least: tuple[int | None, int | None] = (None, None)
    for version, path in groups.items():
        folder, limit_name, used_name = places[version]
        for group in procfiles.lineage(path):
            base = f"{folder}/{group}".rstrip("/")
            limit = procfiles.number(tree.text(f"{base}/{limit_name}"))
            if limit is not None and (least[0] is None or limit < least[0]):
                least = (limit, _charged(tree, base, used_name))
    return least


def _charged(tree: _Tree, group: str, name: str) -> int | None:
    """Bytes charged to a group, without pages of files: the kernel drops those first."""
    charged = procfiles.number(tree.text(f"{group}/{name}"))
    if charged is None:
        return None
    return max(0, charged - procfiles.file_pages(tree.table(f"{group}/memory.stat")))


def _storage(roots: Roots, tree: _Tree) -> Storage:
    if roots.models is None:
        return "unknown"
    mounts = tree.table("proc/self/mountinfo")
    device = procfiles.mount_device(mounts, str(roots.models))
    link = None if device is None else tree.parent(f"sys/dev/block/{device}")
    if link is None or not link.exists():
        return "unknown"
    names = link.parts
    if any(part.startswith("mmcblk") for part in names):
        return "sd"
    if any(part.startswith("nvme") for part in names):
        return "nvme"
    return "usb" if any(part.startswith("usb") for part in names) else "disk"


def _free(roots: Roots) -> int | None:
    if not roots.live or roots.models is None:
        return None
    for folder in (roots.models, *roots.models.parents):  # it may not have been made yet
        try:
            facts = os.statvfs(folder)
        except (OSError, ValueError):
            continue
        return facts.f_bavail * facts.f_frsize
    return None


def _cooler(tree: _Tree, board: str | None) -> bool | None:
    """Whether there is a fan that the kernel knows; elsewhere than on a Pi none proves nothing."""
    devices = [tree.text(f"{name}/type") for name in tree.folders("sys/class/thermal")]
    sensors = [tree.text(f"{name}/name") for name in tree.folders("sys/class/hwmon")]
    turning = [tree.text(f"{name}/fan1_input") for name in tree.folders("sys/class/hwmon")]
    if any(turning) or any("fan" in name.lower() for name in (*devices, *sensors)):
        return True
    return False if (board or "").startswith("Raspberry Pi") else None
