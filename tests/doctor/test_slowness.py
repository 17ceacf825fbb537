from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from edged.doctor.facts import Kernel
from edged.doctor.slowness import causes
from edged.thermal.readings import Alarm, Clock, NoReading, Pressure, Throttled
from tests.doctor.judging import senses, told
from tests.doctor.recordedrates import codes, facts, rates, taken

if TYPE_CHECKING:
    from edged.thermal.readings import Senses


def test_a_healthy_board_has_no_cause() -> None:
    assert [told(each) for each in causes(facts(rates(taken(8.4))))] == [("slow", "ok")]


@pytest.mark.parametrize(
    ("sensed", "expected"),
    [
        (senses(throttled=Throttled(0x8)), ["slow_by_heat"]),
        (senses(throttled=Throttled(0x4)), ["slow_by_heat"]),
        (senses(throttled=Throttled(0x50005)), ["slow_by_supply"]),
        (senses(throttled=Throttled(0x5000D)), ["slow_by_heat", "slow_by_supply"]),
        (senses(throttled=NoReading("none"), alarm=Alarm(on=True)), ["slow_by_supply"]),
        (senses(pressure=Pressure(10.0, 0.0)), ["slow_by_memory"]),
        (senses(pressure=Pressure(6.0, 5.0)), ["slow_by_memory"]),
        (senses(pressure=Pressure(9.0, 4.0)), ["slow"]),
        (senses(pressure=NoReading("psi=0")), ["slow"]),
    ],
)
def test_causes_that_sensors_show_are_kept_apart(sensed: Senses, expected: list[str]) -> None:
    assert codes(facts(senses=sensed)) == expected


def test_a_clock_that_is_held_down_is_evidence() -> None:
    slow = senses(throttled=Throttled(0x8), clock=Clock(1_500_000, 2_400_000))
    assert "the clock is 1500 of 2400 MHz" in causes(facts(senses=slow))[0].evidence
    for other in (Clock(2_400_000, 2_400_000), Clock(1_500_000), NoReading("none")):
        found = causes(facts(senses=senses(throttled=Throttled(0x8), clock=other)))[0]
        assert "clock" not in found.evidence


def test_heat_shows_in_recorded_rates_too() -> None:
    hot = causes(facts(rates(taken(6.1, hot=True))))[0]
    assert hot.code == "slow_by_heat"
    assert hot.evidence == "the file was measured hot: 6.10 tok/s at 81 C"
    unknown = replace(taken(6.1, hot=True), temp_c=None)
    assert causes(facts(rates(unknown)))[0].evidence.endswith("6.10 tok/s")
    assert codes(facts(rates(taken(8.4), paced="paced"))) == ["slow_by_heat"]


@pytest.mark.parametrize(
    ("cpu", "expected"), [(None, "slow"), (19.9, "slow"), (20.0, "slow_by_load")]
)
def test_neighbours_show_in_the_wait_for_a_core(cpu: float | None, expected: str) -> None:
    assert codes(facts(kernel=Kernel(cpu=cpu))) == [expected]
