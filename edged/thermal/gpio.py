"""Which driver may touch the pins of this board, and what the firmware has taken already."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import msgspec

from edged.errors import StorageError
from edged.files import read_bounded

MAX_BYTES = 256  # a name, or a list of compatible devices
PI_5 = "brcm,bcm2712"  # the processor of a Pi 5, a Pi 500 and a Compute Module 5
PI = "raspberrypi,"
# RP1 has the header's pins on these boards. RPi.GPIO and pigpio know only the registers of older
# processors, so there they must not be tried.
RP1 = "raspberrypi,rp1-gpio"


class NoGpio(msgspec.Struct, frozen=True):
    """Why no pin can be used, in words."""

    reason: str


def drivers(compatible: list[str]) -> tuple[str, ...]:
    """Modules of gpiozero's pin drivers that are safe on a board, the best first.

    Args:
        compatible: What the device tree says the board is compatible with.
    """
    if PI_5 in compatible:
        return ("lgpio",)
    if any(name.startswith(PI) for name in compatible):
        return ("lgpio", "rpigpio")
    return ()


def open_pins(root: Path = Path("/")) -> Any | NoGpio:
    """A pin factory of gpiozero, or why there is none; never raises.

    Args:
        root: Of the file system; tests give a tree of their own.
    """
    compatible = _names(root / "proc/device-tree/compatible")
    found = drivers(compatible)
    if not found:
        return NoGpio("this board is no Raspberry Pi")
    chip = {"chip": _chip(root)} if PI_5 in compatible else {}
    reasons = []
    for name in found:
        try:
            return _factory(name, **(chip if name == "lgpio" else {}))
        except Exception as error:  # noqa: BLE001 - native drivers raise what they like
            reasons.append(f"{name}: {error}")
    return NoGpio("; ".join(reasons))


def firmware_fan(root: Path = Path("/")) -> bool:
    """Whether the kernel has a fan already: two that drive one fan fight each other.

    Args:
        root: Of the file system.
    """
    sensors = sorted(root.glob("sys/class/hwmon/hwmon*/name"))
    coolers = sorted(root.glob("sys/class/thermal/cooling_device*/type"))
    return any("fan" in name for path in (*sensors, *coolers) for name in _names(path))


def _factory(name: str, **options: int) -> Any:
    classes = {"lgpio": "LGPIOFactory", "rpigpio": "RPiGPIOFactory"}
    module = importlib.import_module(f"gpiozero.pins.{name}")
    return getattr(module, classes[name])(**options)


def _chip(root: Path) -> int:
    """The number of RP1's chip: 4 with older kernels, 0 since 6.6.45."""
    for chip in sorted(root.glob("sys/bus/gpio/devices/gpiochip[0-9]")):
        if RP1 in _names(chip / "of_node/compatible"):
            return int(chip.name.removeprefix("gpiochip"))
    return 0


def _names(path: Path) -> list[str]:
    """The names in a small file, with NULs between them; none if it cannot be read."""
    try:
        text = read_bounded(path, MAX_BYTES).decode(errors="replace")
    except StorageError:
        return []
    return [name.strip() for name in text.split("\0") if name.strip()]
