"""F21: each sensor may vanish, refuse or lie, and comes back by itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edged.thermal.readings import (
    Alarm,
    Clock,
    Fan,
    NoReading,
    Pressure,
    Reading,
    Senses,
    Throttled,
    Volts,
)
from edged.thermal.senses import Sensors, look
from tests.thermal.heat import BOARDS, HEAT

ZONE = "sys/class/thermal/thermal_zone0"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return shutil.copytree(HEAT / "warm", tmp_path / "warm")


def test_a_whole_pi_5() -> None:
    assert look(HEAT / "warm") == Senses(
        temperature=Reading(66.9),
        clock=Clock(2_400_000, 2_400_000, "ondemand"),
        alarm=Alarm(on=False),
        volts=Volts(5.02886),
        throttled=Throttled(0),
        fan=Fan(6120, 175),
        pressure=Pressure(0.0, 0.0),
    )


def test_what_each_state_comes_to() -> None:
    told = {
        path.name: (senses.celsius, senses.undervoltage, senses.soft)
        for path in HEAT.iterdir()
        for senses in [look(path)]
    }
    assert told == {
        "cool": (41.2, False, False),
        "warm": (66.9, False, False),
        "throttled": (85.1, False, True),
        "undervoltage": (58.15, True, True),
        "no-sensor": (None, False, False),
        "no-fan": (63.15, False, False),
        "stopped-fan": (79.05, False, False),
        "thrashing": (52.7, False, False),
        "busy": (55.45, False, False),
    }


def test_a_board_without_any_sensor_gives_reasons_only(tmp_path: Path) -> None:
    senses = look(tmp_path)
    values = [getattr(senses, name) for name in senses.__struct_fields__]
    assert all(isinstance(value, NoReading) and value.reason for value in values)


def test_this_machine_is_asked_without_an_error() -> None:
    assert isinstance(look(Path("/")), Senses)


def test_a_pc_has_no_clock_to_read_in_its_record() -> None:
    assert isinstance(look(BOARDS / "pc").clock, NoReading)


@pytest.mark.parametrize("junk", ["", "junk", "-274000", "200000", "\0\0\0\0", "9" * 5000])
def test_a_lying_sensor_is_no_reading_and_comes_back(tree: Path, junk: str) -> None:
    sensors = Sensors(tree)
    file = tree / ZONE / "temp"
    file.write_text(f"{junk}\n")
    senses = sensors.look()
    assert senses.celsius is None
    assert "temp" in senses.reason or "thermal_zone0" in senses.reason
    file.write_text("51650\n")
    assert sensors.look().celsius == 51.65


def test_an_unlinked_sensor_is_no_reading_and_comes_back(tree: Path) -> None:
    sensors = Sensors(tree)
    assert sensors.look().celsius == 66.9
    (tree / ZONE / "temp").unlink()
    assert "No such file" in sensors.look().reason
    shutil.rmtree(tree / ZONE)
    assert sensors.look().reason == "no thermal zone of a processor"
    (tree / "sys/class/thermal/thermal_zone3").mkdir()
    (tree / "sys/class/thermal/thermal_zone3/type").write_text("cpu-thermal\n")
    (tree / "sys/class/thermal/thermal_zone3/temp").write_text("60000\n")
    assert sensors.look().celsius == 60.0


def test_an_error_of_the_driver_is_no_reading(tree: Path) -> None:
    file = tree / ZONE / "temp"
    file.unlink()
    file.symlink_to("/proc/self/mem")  # reads of its first page are an error of input or output
    assert "Input/output error" in look(tree).reason


def test_a_folder_in_place_of_a_sensor_is_no_reading(tree: Path) -> None:
    (tree / ZONE / "temp").unlink()
    (tree / ZONE / "temp").mkdir()
    assert "is not a regular file" in look(tree).reason


def test_only_the_ill_sensor_is_missing(tree: Path) -> None:
    (tree / "vcgencmd/get_throttled").write_text("error=2\n")
    (tree / "proc/pressure/memory").write_text("junk\n")
    senses = look(tree)
    assert isinstance(senses.throttled, NoReading)
    assert senses.pressure == NoReading("/proc/pressure/memory says 'junk'")
    assert senses.celsius == 66.9
    assert senses.fan == Fan(6120, 175)
