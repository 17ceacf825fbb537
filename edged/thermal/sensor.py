"""The processor's temperature from sysfs: what is there, or why there is none."""

from __future__ import annotations

from pathlib import Path

from edged.thermal import parse
from edged.thermal.readings import NoReading, Reading
from edged.thermal.tree import Place, content
from edged.thermal.unnamed import Unnamed

__all__ = ["NoReading", "Reading", "Zone", "read", "sense"]

# By type, not by number: zones are numbered as drivers load. The first is a Raspberry Pi's.
ZONE_TYPES = ("cpu-thermal", "cpu_thermal", "soc_thermal", "x86_pkg_temp")


class Zone:
    """The processor's thermal zone.

    Args:
        root: The root of the file system; tests give a tree of their own.
    """

    def __init__(self, root: Path) -> None:
        self._place = Place(root / "sys/class/thermal", "thermal_zone", "type", ZONE_TYPES)
        self._unnamed = Unnamed(root)

    def read(self) -> Reading | NoReading:
        """The temperature now."""
        zone = self._place.path()
        if zone is None:
            return self._unnamed.read()
        text = content(zone / "temp")
        return text if isinstance(text, NoReading) else parse.temperature(text, zone.name)


def read(root: Path) -> Reading | NoReading:
    """The temperature of the processor of the machine whose files are under `root`."""
    return Zone(root).read()


def sense() -> Reading | NoReading:
    """The temperature of this machine's processor."""
    return read(Path("/"))
