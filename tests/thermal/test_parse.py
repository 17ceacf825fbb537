from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.thermal import parse
from edged.thermal.readings import Alarm, NoReading, Pressure, Reading, Throttled, Volts

PSI = (
    "some avg10=12.50 avg60=0.12 avg300=0.03 total=184213\n"
    "full avg10=3.00 avg60=0.09 avg300=0.02 total=150772"
)


def test_millidegrees_become_degrees() -> None:
    assert parse.temperature("48312", "zone") == Reading(48.312)
    assert parse.temperature("-5000", "zone") == Reading(-5.0)


@pytest.mark.parametrize("text", ["", "hot", "-274000", "200000", "4_8", "٤٨", "1e3", "nan", "--5"])
def test_nonsense_is_no_temperature(text: str) -> None:
    found = parse.temperature(text, "thermal_zone0")
    assert isinstance(found, NoReading)
    assert "thermal_zone0" in found.reason


def test_a_float_that_is_no_number_is_no_temperature() -> None:
    assert parse.degrees(float("nan"), "zone") == NoReading("zone says nan C")


def test_an_alarm_is_0_or_1() -> None:
    assert parse.alarm("0", "rpi_volt") == Alarm(on=False)
    assert parse.alarm("1", "rpi_volt") == Alarm(on=True)
    assert parse.alarm("2", "rpi_volt") == NoReading("rpi_volt says '2'")


def test_a_number_has_a_bound() -> None:
    assert parse.number("255", 255) == 255
    assert parse.number("256", 255) is None
    assert parse.number("-1", 255) is None


def test_bits_of_the_firmware() -> None:
    assert parse.throttled("throttled=0x50005") == Throttled(0x50005)
    for text in ("throttled=0x", "0x0", "throttled=0x123456789", "error=1"):
        assert isinstance(parse.throttled(text), NoReading)


def test_the_rail_is_found_alone_and_among_others() -> None:
    alone = "EXT5V_V volt(24)=5.06470000V"
    assert parse.volts(alone, "EXT5V_V") == Volts(5.0647)
    many = f"   HDMI_V volt(23)=4.9V\n     {alone}\n  BATT_V volt(25)=0.0V"
    assert parse.volts(many, "EXT5V_V") == Volts(5.0647)


@pytest.mark.parametrize(
    "text", ["", "EXT5V_V volt(24)=V", "EXT5V_V current(7)=1.0A", "EXT5V_V volt(24)=99.0V"]
)
def test_no_voltage_in_nonsense(text: str) -> None:
    assert isinstance(parse.volts(text, "EXT5V_V"), NoReading)


def test_pressure_of_memory() -> None:
    assert parse.pressure(PSI) == Pressure(12.5, 3.0)
    for text in ("", PSI.splitlines()[0], PSI.replace("12.50", "120.5")):
        assert isinstance(parse.pressure(text), NoReading)


@given(st.text(max_size=60))
def test_no_text_raises(text: str) -> None:
    for parsed in (
        parse.temperature(text, "zone"),
        parse.alarm(text, "alarm"),
        parse.throttled(text),
        parse.volts(text, "EXT5V_V"),
        parse.pressure(text),
    ):
        assert parsed is not None
