from __future__ import annotations

import pytest
from msgspec.structs import replace

from edged.doctor.supply import supply
from edged.thermal.readings import Alarm, Throttled, Volts
from tests.doctor.judging import BLIND, senses, told


@pytest.mark.parametrize(
    ("volts", "code", "severity"),
    [
        (5.1, "supply", "ok"),
        (4.80, "supply", "ok"),
        (4.79, "supply_low", "warning"),
        (4.70, "supply_low", "warning"),
        (4.69, "supply_low", "error"),
    ],
)
def test_the_voltage_behind_the_connector(volts: float, code: str, severity: str) -> None:
    found = supply(senses(volts=Volts(volts)))
    assert told(found) == (code, severity)
    assert f"EXT5V {volts:.2f} V" in found.evidence


def test_undervoltage_now_is_an_error_by_either_source() -> None:
    assert told(supply(replace(BLIND, alarm=Alarm(on=True)))) == ("undervoltage", "error")
    assert told(supply(replace(BLIND, throttled=Throttled(0x50005)))) == ("undervoltage", "error")


def test_undervoltage_since_boot_is_a_warning() -> None:
    found = supply(senses(throttled=Throttled(0x50000)))
    assert told(found) == ("was_undervoltage", "warning")
    assert "0x50000" in found.evidence


def test_one_source_is_enough_and_none_is_told() -> None:
    assert told(supply(replace(BLIND, alarm=Alarm(on=False)))) == ("supply", "ok")
    assert told(supply(replace(BLIND, throttled=Throttled(0)))) == ("supply", "ok")
    assert told(supply(BLIND)) == ("supply", "skipped")
