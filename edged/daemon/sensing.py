"""Temperature and clock of this board at one moment, for who measures on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.errors import StorageError
from edged.files import read_bounded
from edged.models.tuning import Sense
from edged.thermal import sensor

if TYPE_CHECKING:
    from pathlib import Path

CLOCK = "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
MAX_BYTES = 32  # a line with a number


def sense(root: Path) -> Sense:
    """What the sensors say; None for what there is no sensor of, or one that says nonsense.

    Args:
        root: The root of the file system.
    """
    reading = sensor.read(root)
    temp_c = reading.celsius if isinstance(reading, sensor.Reading) else None
    return Sense(temp_c, _clock(root))


def _clock(root: Path) -> int | None:
    try:
        khz = int(read_bounded(root / CLOCK, MAX_BYTES))
    except (StorageError, ValueError):
        return None
    return khz if khz > 0 else None
