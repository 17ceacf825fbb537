"""What only the Pi's firmware knows: why it slows the board, and the voltage of the supply.

The command interface is used and not the property GET_THROTTLED: of the latter the kernel clears
the bits of "since boot" every two seconds, for its own alarm, and the newer device, which a daemon
may be given without danger, lets commands pass only.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edged.thermal import gencmd, parse
from edged.thermal.readings import NoReading, Throttled, Volts
from edged.thermal.tree import content

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[[str], str | NoReading]

DEVICES = ("dev/vcio_gencmd", "dev/vcio")  # the first lets commands pass only
# The kernel's _IOWR(100, 0, char *), which holds the size of a pointer.
PROPERTY = 3 << 30 | struct.calcsize("P") << 16 | 100 << 8
RECORDED = "vcgencmd"  # the folder of a recorded board with what each command printed
RAIL = "EXT5V_V"  # the power management chip of a Pi 5 measures it


class Ioctl(Protocol):
    """As `fcntl.ioctl`: takes a message and leaves the answer in it."""

    def __call__(self, fd: int, request: int, arg: bytearray, mutate_flag: bool, /) -> int:  # noqa: FBT001 - as there
        """Raise OSError if the device refuses."""


class Mailbox:
    """The firmware of this machine, asked without a process.

    Args:
        root: The root of the file system, with `dev` in it.
        ioctl: Tests give their own.
    """

    def __init__(self, root: Path, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._devices = [root / name for name in DEVICES]
        self._ioctl = ioctl

    def ask(self, command: str) -> str | NoReading:
        """What `vcgencmd` would print for it; the firmware answers within milliseconds."""
        answer: str | NoReading = NoReading("no firmware to ask")
        for device in self._devices:
            if device.exists():  # else its absence would hide why the other is of no use
                answer = self._ask(device, command)
            if not isinstance(answer, NoReading):
                break
        return answer

    def _ask(self, device: Path, command: str) -> str | NoReading:
        try:
            handle = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            return NoReading(f"{device} cannot be opened: {error.strerror}")
        message = gencmd.request(command)
        try:
            self._ioctl(handle, PROPERTY, message, True)  # noqa: FBT003 - it takes no keywords
        except OSError as error:
            return NoReading(f"{device} does not answer: {error.strerror}")
        finally:
            os.close(handle)
        return gencmd.answer(message)


class Recorded:
    """The firmware of a recorded board: files named by the command, as `vcgencmd/get_throttled`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / RECORDED

    def ask(self, command: str) -> str | NoReading:
        """What was recorded for the command."""
        return content(self._folder / command.partition(" ")[0])


def of(root: Path) -> Ask:
    """How to ask the firmware: of this machine if `root` is `/`, else what was recorded of it."""
    return Mailbox(root).ask if root == Path("/") else Recorded(root).ask


def throttled(ask: Ask) -> Throttled | NoReading:
    """What the firmware takes away, now and since boot."""
    text = ask("get_throttled")
    return text if isinstance(text, NoReading) else parse.throttled(text)


def volts(ask: Ask) -> Volts | NoReading:
    """The supply's voltage; boards before the Pi 5 cannot measure it."""
    text = ask(f"pmic_read_adc {RAIL}")
    return text if isinstance(text, NoReading) else parse.volts(text, RAIL)
