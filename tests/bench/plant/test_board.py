from __future__ import annotations

import pytest

from bench.plant.board import Plant
from bench.plant.coolers import ACTIVE, BARE
from bench.plant.firmware import SOFT
from bench.plant.power import DECODE, SUPPLY, board, die, volts
from bench.plant.published import WITHIN_C, Point, points

POINTS = list(points())


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_each_published_temperature_is_met(point: Point) -> None:
    assert point.plant == pytest.approx(point.published, abs=WITHIN_C)


def test_no_point_is_told_twice_and_none_is_left_out() -> None:
    names = [point.name for point in POINTS]
    assert len(names) == len(set(names)) == 15


def test_a_board_rests_where_it_stays() -> None:
    plant = Plant(BARE, 20.0)
    before = plant.step(1.0, 0.0)
    assert plant.step(3600.0, 0.0).celsius == pytest.approx(before.celsius, abs=0.05)
    assert before.bits == 0


def test_it_begins_as_warm_as_told() -> None:
    assert Plant(BARE, 20.0, 60.0).step(0.01, 0.0).celsius == pytest.approx(60.0, abs=0.1)


def test_a_long_step_is_as_good_as_many_short_ones() -> None:
    one, many = Plant(ACTIVE, 30.0), Plant(ACTIVE, 30.0)
    for _ in range(600):
        last = many.step(0.5, 4.0)
    assert one.step(300.0, 4.0) == last


def test_in_the_end_the_watts_go_to_the_air() -> None:
    look = Plant(BARE, 20.0).step(7200.0, 1.0)
    hot = die(1.0, look.mhz, look.celsius, DECODE)
    rest = look.watts - hot
    assert rest == pytest.approx(board(1.0, DECODE))
    end = 20.0 + BARE.outer * look.watts + BARE.inner * hot
    assert look.celsius == pytest.approx(end, abs=0.05)


def test_a_bare_board_is_slowed_by_the_firmware_and_a_cooled_one_is_not() -> None:
    bare, cooled = (Plant(cooler, 20.0).step(600.0, 4.0) for cooler in (BARE, ACTIVE))
    assert bare.mhz < 2000.0
    assert bare.bits & SOFT
    assert bare.fan == 0
    assert (cooled.mhz, cooled.bits) == (2400.0, 0)
    assert cooled.fan == 2


def test_a_hungrier_board_is_hotter() -> None:
    usual, hungry = (Plant(ACTIVE, 20.0, watts=watts).step(600.0, 4.0) for watts in (1.0, 1.2))
    assert hungry.celsius > usual.celsius + 2.0
    assert hungry.watts == pytest.approx(1.2 * usual.watts, rel=0.03)


def test_less_clock_takes_less_voltage_to_the_lowest() -> None:
    assert volts(2400.0) > volts(2000.0) > volts(1500.0) == volts(600.0)
    per_clock = [die(4.0, mhz, 60.0, DECODE) / mhz for mhz in (1500.0, 2400.0)]
    assert per_clock[0] < per_clock[1]


def test_the_watts_at_the_wall_are_those_published() -> None:
    """A Pi 500 took 10.5 W at the wall decoding, of which its keyboard and hub are not in here."""
    look = Plant(ACTIVE, 22.0).step(60.0, 4.0)
    assert 8.5 < look.watts / SUPPLY < 10.7
