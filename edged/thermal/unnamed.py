"""gpiozero's reading of the processor's temperature, where no zone has a name that we know."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from edged.thermal import parse
from edged.thermal.readings import NoReading, Reading

if TYPE_CHECKING:
    from pathlib import Path

FILE = "sys/class/thermal/thermal_zone0/temp"  # gpiozero's own choice, whatever the zone's name
# Single-board computers begin with the processor's zone. Of a PC it may be a battery's or a disk's.
BOARD = "proc/device-tree"
NO_ZONE = NoReading("no thermal zone of a processor")


class Unnamed:
    """The first thermal zone by gpiozero, which is loaded at the first reading.

    Args:
        root: The root of the file system.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._file = root / FILE
        self._library: tuple[Any, Any] | NoReading | None = None

    def read(self) -> Reading | NoReading:
        """The temperature; never raises."""
        if not (self._root / BOARD).is_dir() or not self._file.is_file():
            return NO_ZONE
        if self._library is None:
            self._library = _load()
        if isinstance(self._library, NoReading):
            return self._library
        sensor_class, factory = self._library
        try:
            with sensor_class(sensor_file=str(self._file), pin_factory=factory) as sensor:
                return parse.degrees(sensor.temperature, "gpiozero")
        except (OSError, ValueError) as error:
            return NoReading(f"gpiozero: {error}")


def _load() -> tuple[Any, Any] | NoReading:
    """The sensor's class, and a pin factory: one must be given, and the mock one touches no pin."""
    try:
        sensor_class = importlib.import_module("gpiozero").CPUTemperature
        return sensor_class, importlib.import_module("gpiozero.pins.mock").MockFactory()
    except Exception as error:  # noqa: BLE001 - not installed, or a driver under it fails
        return NoReading(f"{NO_ZONE.reason}, and no gpiozero: {error}")
