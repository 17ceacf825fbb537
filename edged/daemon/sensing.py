"""Temperature and clock of this board at one moment, for who measures on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.models.tuning import Sense
from edged.thermal import clock, sensor
from edged.thermal.readings import Clock, Reading

if TYPE_CHECKING:
    from pathlib import Path


def sense(root: Path) -> Sense:
    """What the sensors say; None for what there is no sensor of, or one that says nonsense.

    Args:
        root: The root of the file system.
    """
    heat, speed = sensor.read(root), clock.read(root)
    return Sense(
        heat.celsius if isinstance(heat, Reading) else None,
        speed.khz if isinstance(speed, Clock) else None,
    )
