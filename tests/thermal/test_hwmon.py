from __future__ import annotations

from typing import TYPE_CHECKING

from edged.thermal.hwmon import FOLDER, Cooler, Supply
from edged.thermal.readings import Alarm, Fan, NoReading
from tests.thermal.heat import HEAT

if TYPE_CHECKING:
    from pathlib import Path


def chip(root: Path, number: int, **files: str) -> Path:
    folder = root / FOLDER / f"hwmon{number}"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
    return folder


def test_the_alarm_of_a_weak_supply() -> None:
    assert Supply(HEAT / "undervoltage").read() == Alarm(on=True)
    assert Supply(HEAT / "cool").read() == Alarm(on=False)
    assert Supply(HEAT / "no-sensor").read() == NoReading("no rpi_volt in hwmon")


def test_a_fan_that_turns_that_rests_and_that_is_not_there() -> None:
    assert Cooler(HEAT / "warm").read() == Fan(6120, 175)
    assert Cooler(HEAT / "cool").read() == Fan(0, 0)
    assert Cooler(HEAT / "stopped-fan").read() == Fan(0, 250)
    assert Cooler(HEAT / "no-fan").read() == NoReading("no fan in hwmon")


def test_a_fan_may_tell_one_of_the_two(tmp_path: Path) -> None:
    folder = chip(tmp_path, 3, name="pwmfan", pwm1="75")
    cooler = Cooler(tmp_path)
    assert cooler.read() == Fan(None, 75)
    (folder / "pwm1").write_text("junk\n")
    assert cooler.read() == NoReading("the fan in hwmon3 tells neither speed nor duty")


def test_numbers_may_change_while_we_look(tmp_path: Path) -> None:
    folder = chip(tmp_path, 2, name="rpi_volt", in0_lcrit_alarm="1")
    supply = Supply(tmp_path)
    assert supply.read() == Alarm(on=True)
    folder.rename(folder.with_name("hwmon7"))
    chip(tmp_path, 2, name="pwmfan", in0_lcrit_alarm="0")
    assert supply.read() == Alarm(on=True)


def test_an_alarm_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    chip(tmp_path, 1, name="rpi_volt")
    found = Supply(tmp_path).read()
    assert isinstance(found, NoReading)
    assert "in0_lcrit_alarm" in found.reason
