"""Recorded boards in all states of heat and supply."""

from __future__ import annotations

from pathlib import Path

FIXTURES = Path(__file__).parents[1] / "fixtures"
HEAT = FIXTURES / "heat"
BOARDS = FIXTURES / "boards"
