"""The processor's clock, from cpufreq."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.thermal import parse
from edged.thermal.readings import Clock, NoReading
from edged.thermal.tree import content, value

if TYPE_CHECKING:
    from pathlib import Path

# On a Pi all cores share one clock, which is policy 0.
POLICY = "sys/devices/system/cpu/cpufreq/policy0"


def read(root: Path) -> Clock | NoReading:
    """The clock now, its highest, and who chooses it.

    Args:
        root: The root of the file system.
    """
    policy = root / POLICY
    text = content(policy / "scaling_cur_freq")
    if isinstance(text, NoReading):
        return text
    khz = parse.number(text, parse.MAX_KHZ)
    if not khz:
        return NoReading(f"cpufreq says {text[: parse.SHOWN]!r}")
    highest = parse.number(value(policy / "cpuinfo_max_freq"), parse.MAX_KHZ)
    return Clock(khz, highest or None, value(policy / "scaling_governor")[: parse.SHOWN])
