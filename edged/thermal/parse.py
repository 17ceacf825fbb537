"""The words of sensors, each parsed with suspicion: nonsense is no reading and never a number."""

from __future__ import annotations

import re

from edged.thermal.readings import Alarm, NoReading, Pressure, Reading, Throttled, Volts

LOWEST_C, HIGHEST_C = -40.0, 150.0  # outside, it is the sensor that is ill and not the board
MAX_KHZ = 10_000_000  # 10 GHz; no processor is so fast
MAX_RPM = 50_000  # a fan of a board turns up to 8000 times a minute
MAX_PWM = 255
MAX_VOLTS = 30.0  # a board takes 5 V; a converter that says more is ill
MAX_PERCENT = 100.0
SHOWN = 24  # characters of nonsense that are shown
_AVG10 = re.compile(r"^(some|full) avg10=([0-9]{1,3}(?:\.[0-9]{1,4})?) ", re.MULTILINE)


def number(text: str, most: int) -> int | None:
    """A whole number from 0 to `most`, or None."""
    found = re.fullmatch(r"[0-9]{1,10}", text)
    return int(text) if found and int(text) <= most else None


def temperature(text: str, where: str) -> Reading | NoReading:
    """Millidegrees Celsius as the kernel writes them.

    Args:
        text: The file's only line.
        where: The sensor's name, for the reason.
    """
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        return _nonsense(where, text)
    return degrees(int(text) / 1000, where)


def degrees(celsius: float, where: str) -> Reading | NoReading:
    """Degrees Celsius, unless no board can be so cold or so hot."""
    if not LOWEST_C <= celsius <= HIGHEST_C:
        return NoReading(f"{where} says {celsius:g} C")
    return Reading(celsius)


def alarm(text: str, where: str) -> Alarm | NoReading:
    """A flag of hwmon: 0 or 1."""
    return Alarm(text == "1") if text in {"0", "1"} else _nonsense(where, text)


def throttled(text: str) -> Throttled | NoReading:
    """What `vcgencmd get_throttled` prints, as `throttled=0x50000`."""
    found = re.fullmatch(r"throttled=0x([0-9a-fA-F]{1,8})", text)
    return Throttled(int(found[1], 16)) if found else _nonsense("the firmware", text)


def volts(text: str, rail: str) -> Volts | NoReading:
    """The line of one rail in what `vcgencmd pmic_read_adc` prints, as `volt(24)=5.06470000V`."""
    found = re.search(rf"\b{rail} volt\([0-9]+\)=([0-9]{{1,3}}(?:\.[0-9]{{1,12}})?)V", text)
    if found is None or float(found[1]) > MAX_VOLTS:
        return _nonsense("the firmware", text)
    return Volts(float(found[1]))


def pressure(text: str) -> Pressure | NoReading:
    """The file /proc/pressure/memory: the averages over ten seconds, in percent."""
    found = dict(_AVG10.findall(text))
    shares = {kind: float(share) for kind, share in found.items()}
    if set(shares) != {"some", "full"} or max(shares.values()) > MAX_PERCENT:
        return _nonsense("/proc/pressure/memory", text)
    return Pressure(shares["some"], shares["full"])


def _nonsense(where: str, text: str) -> NoReading:
    return NoReading(f"{where} says {text[:SHOWN]!r}" if text else f"{where} is silent")
