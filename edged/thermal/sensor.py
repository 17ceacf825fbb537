"""The processor's temperature from sysfs: what is there, or why there is none."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edged.errors import StorageError
from edged.files import read_bounded

# By type, not by number: zones are numbered as drivers load. The first is a Raspberry Pi's.
ZONE_TYPES = ("cpu-thermal", "cpu_thermal", "soc_thermal", "x86_pkg_temp")
MAX_BYTES = 64  # a line with a number or a name
LOWEST_C, HIGHEST_C = -40.0, 150.0  # outside, it is the sensor that is ill and not the board


class Reading(msgspec.Struct, frozen=True):
    """Degrees Celsius."""

    celsius: float


class NoReading(msgspec.Struct, frozen=True):
    """Why there is no temperature, in words."""

    reason: str


def read(root: Path) -> Reading | NoReading:
    """Reads the processor's thermal zone.

    Args:
        root: The root of the file system; tests give a tree of their own.
    """
    zones = sorted(root.glob("sys/class/thermal/thermal_zone*"))
    kinds = {_line(zone / "type"): zone for zone in reversed(zones)}
    zone = next((kinds[kind] for kind in ZONE_TYPES if kind in kinds), None)
    if zone is None:
        return NoReading("no thermal zone of a processor")
    text = _line(zone / "temp")
    try:
        celsius = int(text) / 1000
    except ValueError:
        return NoReading(f"{zone.name} says {text[:20]!r}" if text else f"{zone.name} is silent")
    if not LOWEST_C <= celsius <= HIGHEST_C:
        return NoReading(f"{zone.name} says {celsius:g} C")
    return Reading(celsius)


def sense() -> Reading | NoReading:
    """The temperature of this machine's processor."""
    return read(Path("/"))


def _line(path: Path) -> str:
    """The text of a sysfs file, or nothing where it cannot be read."""
    try:
        return read_bounded(path, MAX_BYTES).decode(errors="replace").strip()
    except StorageError:
        return ""
