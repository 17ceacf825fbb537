from __future__ import annotations

from msgspec.structs import replace

from edged.thermal.readings import Alarm, NoReading, Reading, Senses, Throttled

NOTHING = NoReading("not there")
BLIND = Senses(
    temperature=NOTHING,
    clock=NOTHING,
    alarm=NOTHING,
    volts=NOTHING,
    throttled=NOTHING,
    fan=NOTHING,
    pressure=NOTHING,
)


def test_the_bits_are_those_of_vcgencmd() -> None:
    told = Throttled(0xD0005)
    assert (told.undervoltage, told.capped, told.throttled, told.soft) == (True, False, True, False)
    seen = told.since_boot
    assert (seen.undervoltage, seen.capped, seen.throttled, seen.soft) == (True, False, True, True)


def test_without_sensors_nothing_is_claimed() -> None:
    assert (BLIND.celsius, BLIND.reason) == (None, "not there")
    assert (BLIND.undervoltage, BLIND.capped, BLIND.soft) == (False, False, False)


def test_the_temperature_has_no_reason() -> None:
    warm = replace(BLIND, temperature=Reading(60.0))
    assert (warm.celsius, warm.reason) == (60.0, "")


def test_either_source_tells_of_undervoltage() -> None:
    assert replace(BLIND, alarm=Alarm(on=True)).undervoltage
    assert replace(BLIND, alarm=Alarm(on=False), throttled=Throttled(1)).undervoltage
    assert not replace(BLIND, alarm=Alarm(on=False), throttled=Throttled(1 << 16)).undervoltage


def test_only_the_present_is_told_as_present() -> None:
    for bits, capped, soft in (
        (0b0010, True, False),
        (0b0100, False, True),
        (0b1000, False, True),
        (0xF0000, False, False),
    ):
        senses = replace(BLIND, throttled=Throttled(bits))
        assert (senses.capped, senses.soft) == (capped, soft)
