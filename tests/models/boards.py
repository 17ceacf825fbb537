"""Recorded boards: folders with the files of /proc and /sys that a choice rests on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edged.models.device import probe, recorded

if TYPE_CHECKING:
    from edged.models.facts import DeviceFacts

BOARDS = Path(__file__).parents[1] / "fixtures" / "boards"


def board(name: str) -> DeviceFacts:
    return probe(recorded(BOARDS / name))
