from __future__ import annotations

import pytest
from msgspec.structs import replace

from edged.doctor.heat import cooler, temperature, throttling
from edged.thermal.readings import Fan, Reading, Throttled
from tests.doctor.judging import BLIND, PC, PI_5, UNSEEN, senses, told


@pytest.mark.parametrize(
    ("fan", "code", "severity"),
    [
        (Fan(2900, 75), "cooler", "ok"),
        (Fan(0, 0), "cooler", "ok"),
        (Fan(None, 250), "cooler", "ok"),
        (Fan(1200, None), "cooler", "ok"),
        (Fan(0, 74), "cooler", "ok"),
        (Fan(0, 75), "fan_stopped", "error"),
        (UNSEEN, "cooler", "ok"),
    ],
)
def test_a_fan_turns_when_it_is_driven(fan: Fan, code: str, severity: str) -> None:
    assert told(cooler(PI_5, senses(fan=fan))) == (code, severity)


def test_a_pi_without_a_fan_is_warned_of_and_a_pc_is_not() -> None:
    bare = replace(PI_5, cooler=False)
    assert told(cooler(bare, BLIND)) == ("no_fan", "warning")
    assert told(cooler(PC, BLIND)) == ("cooler", "skipped")


@pytest.mark.parametrize(
    ("celsius", "code", "severity"),
    [
        (74.9, "temperature", "ok"),
        (75.0, "warm", "advice"),
        (79.9, "warm", "advice"),
        (80.0, "hot", "warning"),
    ],
)
def test_the_firmwares_limit_is_80_c(celsius: float, code: str, severity: str) -> None:
    found = temperature(PI_5, senses(temperature=Reading(celsius)))
    assert told(found) == (code, severity)
    assert f"{celsius:.1f} C" in found.evidence


def test_a_pi_without_a_temperature_is_warned_of() -> None:
    assert told(temperature(PI_5, BLIND)) == ("no_temperature", "warning")
    assert told(temperature(PC, BLIND)) == ("temperature", "skipped")


@pytest.mark.parametrize(
    ("bits", "code", "severity"),
    [
        (0x0, "throttling", "ok"),
        (0x8, "throttled", "warning"),
        (0x4, "throttled", "warning"),
        (0x2, "throttled", "warning"),
        (0xE0000, "was_throttled", "warning"),
        # the supply's business
        (0x50005, "throttling", "ok"),
        (0x50000, "throttling", "ok"),
        # both
        (0x5000D, "throttled", "warning"),
        (0xD0000, "was_throttled", "warning"),
        (0x10008, "throttled", "warning"),
    ],
)
def test_what_the_firmware_takes_away_for_heat(bits: int, code: str, severity: str) -> None:
    found = throttling(senses(throttled=Throttled(bits)))
    assert told(found) == (code, severity)
    assert f"throttled={bits:#x}" in found.evidence


def test_without_the_firmware_nothing_is_claimed() -> None:
    assert told(throttling(BLIND)) == ("throttling", "skipped")
