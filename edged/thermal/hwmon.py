"""What hwmon knows of a board: the alarm of its supply and its fan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.thermal import parse
from edged.thermal.readings import Alarm, Fan, NoReading
from edged.thermal.tree import Place, content, value

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "sys/class/hwmon"
SUPPLY = ("rpi_volt",)
# pwmfan drives what the device tree calls cooling_fan; the other is the driver of a PoE hat.
FANS = ("pwmfan", "cooling_fan", "rpipoefan")


class Supply:
    """The alarm that the kernel raises when the firmware tells it of under-voltage.

    Args:
        root: The root of the file system.
    """

    def __init__(self, root: Path) -> None:
        self._place = Place(root / FOLDER, "hwmon", "name", SUPPLY)

    def read(self) -> Alarm | NoReading:
        """The alarm; the kernel looks every two seconds."""
        folder = self._place.path()
        if folder is None:
            return NoReading("no rpi_volt in hwmon")
        text = content(folder / "in0_lcrit_alarm")
        return text if isinstance(text, NoReading) else parse.alarm(text, "rpi_volt")


class Cooler:
    """The fan at the board's own connector.

    Args:
        root: The root of the file system.
    """

    def __init__(self, root: Path) -> None:
        self._place = Place(root / FOLDER, "hwmon", "name", FANS)

    def read(self) -> Fan | NoReading:
        """Its speed and its duty; a fan without a wire for its speed still has a duty."""
        folder = self._place.path()
        if folder is None:
            return NoReading("no fan in hwmon")
        rpm = parse.number(value(folder / "fan1_input"), parse.MAX_RPM)
        pwm = parse.number(value(folder / "pwm1"), parse.MAX_PWM)
        if rpm is None and pwm is None:
            return NoReading(f"the fan in {folder.name} tells neither speed nor duty")
        return Fan(rpm, pwm)
