"""All sensors of a board, read at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.thermal import clock, firmware, parse
from edged.thermal.hwmon import Cooler, Supply
from edged.thermal.readings import NoReading, Pressure, Senses
from edged.thermal.sensor import Zone
from edged.thermal.tree import content

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Senses", "Sensors", "look"]

PRESSURE = "proc/pressure/memory"


class Sensors:
    """The sensors of one board; keep it, for it remembers where they are.

    Args:
        root: `/` is this machine, whose firmware is asked too; else a recorded tree.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._zone = Zone(root)
        self._supply = Supply(root)
        self._cooler = Cooler(root)
        self._ask = firmware.of(root)

    def look(self) -> Senses:
        """What they say now; never raises. The firmware, if it hangs, holds the caller a second."""
        return Senses(
            temperature=self._zone.read(),
            clock=clock.read(self._root),
            alarm=self._supply.read(),
            volts=firmware.volts(self._ask),
            throttled=firmware.throttled(self._ask),
            fan=self._cooler.read(),
            pressure=_pressure(self._root),
        )


def look(root: Path) -> Senses:
    """One look at a board; who looks again and again keeps `Sensors`."""
    return Sensors(root).look()


def _pressure(root: Path) -> Pressure | NoReading:
    text = content(root / PRESSURE)
    return text if isinstance(text, NoReading) else parse.pressure(text)
