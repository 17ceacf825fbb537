"""F21: a spike, a leap that lasts, a frozen value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.thermal.plausible import EACH_S, Trust, judge
from edged.thermal.readings import NoReading, Reading


def told(
    values: list[float | None], cores: float = 1.0, step: float = 1.0
) -> list[Reading | NoReading]:
    trust, found = Trust(), []
    for index, value in enumerate(values):
        reading = NoReading("gone") if value is None else Reading(value)
        trust, believed = judge(trust, reading, cores, 100 + index * step)
        found.append(believed)
    return found


def test_a_board_that_warms_up_is_believed() -> None:
    values: list[float | None] = [45.0, 62.0, 64.0, 65.5, 66.9]
    assert told(values) == [Reading(value) for value in values if value is not None]


def test_one_spike_is_no_reading_and_leaves_no_trace() -> None:
    assert told([50.0, 95.0, 50.5]) == [
        Reading(50.0),
        NoReading("the sensor leapt from 50 to 95 C"),
        Reading(50.5),
    ]


def test_a_leap_that_lasts_is_believed_at_the_second_reading() -> None:
    assert told([50.0, 80.0, 81.0]) == [
        Reading(50.0),
        NoReading("the sensor leapt from 50 to 80 C"),
        Reading(81.0),
    ]


def test_leaps_to_and_fro_are_never_believed() -> None:
    found = told([50.0, 110.0, 80.0, 110.0 + 30, 90.0])
    assert [isinstance(one, Reading) for one in found] == [True, False, False, False, False]


def test_a_gap_between_spikes_confirms_nothing() -> None:
    assert [isinstance(one, Reading) for one in told([50.0, 95.0, None, 95.0])] == [
        True,
        False,
        False,
        False,
    ]


def test_after_a_long_silence_any_value_can_be_true() -> None:
    assert told([80.0, 40.0], step=30.0) == [Reading(80.0), Reading(40.0)]


def frozen(shares: list[float]) -> Reading | NoReading:
    """One value through so many seconds, each with its cores at work."""
    trust, found = judge(Trust(), Reading(51.65), 0.0, 0.0)
    for second, cores in enumerate(shares, 1):
        trust, found = judge(trust, Reading(51.65), cores, float(second))
    return found


def test_one_value_through_rest_and_load_is_frozen() -> None:
    long = int(EACH_S)
    assert frozen([0.0] * long + [4.0] * long) == NoReading(
        "the sensor has said 51.65 C through rest and load alike"
    )


@pytest.mark.parametrize("cores", [0.0, 1.0, 4.0])
def test_one_value_at_one_load_is_a_steady_board(cores: float) -> None:
    assert frozen([cores] * 3600) == Reading(51.65)


def test_a_short_load_proves_nothing() -> None:
    assert frozen([0.0] * 3600 + [4.0] * (int(EACH_S) - 1)) == Reading(51.65)


def test_a_frozen_sensor_that_moves_again_is_believed() -> None:
    trust = Trust(celsius=51.65, looked=500.0, at=500.0, rested_s=900.0, loaded_s=900.0)
    trust, found = judge(trust, Reading(51.65), 4.0, 501.0)
    assert isinstance(found, NoReading)
    trust, found = judge(trust, Reading(52.2), 4.0, 502.0)
    assert found == Reading(52.2)
    assert judge(trust, Reading(52.2), 4.0, 503.0)[1] == Reading(52.2)


@given(st.lists(st.floats(-40, 150) | st.none(), max_size=30), st.floats(0, 4))
def test_what_is_believed_is_what_was_read(values: list[float | None], cores: float) -> None:
    for value, believed in zip(values, told(values, cores), strict=True):
        assert isinstance(believed, NoReading) or believed.celsius == value
