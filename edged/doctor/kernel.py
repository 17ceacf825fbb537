"""Reads what the kernel and the boot loader were told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.doctor import kernelwords
from edged.doctor.facts import Kernel, Skipped
from edged.models import procfiles
from edged.thermal import firmware
from edged.thermal.readings import NoReading
from edged.thermal.tree import value

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = 2048  # characters of a command line: the kernel takes no more
TIMESYNC = "run/systemd/timesync"


def kernel(root: Path) -> Kernel:
    """Of this machine or of a recorded one; never raises.

    Args:
        root: The root of the file system.
    """
    config = firmware.of(root)("bootloader_config")
    return Kernel(
        command_line=value(root / "proc/cmdline")[:SHOWN],
        nodes=kernelwords.nodes(value(root / "sys/devices/system/node/online")),
        banklow=None if isinstance(config, NoReading) else kernelwords.banklow(config),
        cpu=kernelwords.waiting(value(root / "proc/pressure/cpu")),
        swapped=kernelwords.swapped(procfiles.meminfo(value(root / "proc/meminfo"))),
    )


def synchronised(root: Path) -> bool | Skipped:
    """Whether systemd-timesyncd has set the clock since boot.

    Args:
        root: The root of the file system.
    """
    folder = root / TIMESYNC
    if not folder.is_dir():
        return Skipped("no systemd-timesyncd here")
    return (folder / "synchronized").exists()
