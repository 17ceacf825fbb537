from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from edged.thermal.readings import NoReading, Reading
from edged.thermal.senses import Sensors
from edged.thermal.unnamed import BOARD, FILE, NO_ZONE, Unnamed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """One whose kernel calls the processor's zone by a name of its own."""
    (tmp_path / BOARD).mkdir(parents=True)
    file = tmp_path / FILE
    file.parent.mkdir(parents=True)
    file.write_text("47111\n")
    (file.parent / "type").write_text("soc-thermal-0\n")
    return tmp_path


def test_gpiozero_reads_what_has_no_known_name(board: Path) -> None:
    assert Sensors(board).look().temperature == Reading(47.111)


@pytest.mark.parametrize("junk", ["", "junk", "-274000", "200000", "nan", "inf"])
def test_its_nonsense_is_no_reading_and_it_comes_back(board: Path, junk: str) -> None:
    sensor = Unnamed(board)
    (board / FILE).write_text(junk)
    found = sensor.read()
    assert isinstance(found, NoReading)
    assert found.reason.startswith("gpiozero")
    (board / FILE).write_text("50000\n")
    assert sensor.read() == Reading(50.0)


def test_of_a_pc_the_first_zone_may_be_anything(board: Path) -> None:
    (board / BOARD).rmdir()
    assert Unnamed(board).read() == NO_ZONE


def test_without_a_zone_there_is_none(board: Path) -> None:
    (board / FILE).unlink()
    assert Unnamed(board).read() == NO_ZONE


def test_without_the_library_the_reason_says_so(
    board: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    sensor = Unnamed(board)
    found = sensor.read()
    assert isinstance(found, NoReading)
    assert "no gpiozero" in found.reason
    monkeypatch.undo()
    assert sensor.read() == found  # asked once: an import that fails costs its time each second
