from __future__ import annotations

import pytest

from edged.thermal.heatmodel import ENOUGH, HeatModel
from edged.thermal.outlook import Outlook, look
from edged.thermal.smooth import FAST_S, SLOW_S, Smooth
from edged.thermal.trips import Trips

TRIPS = Trips()
KNOWN = HeatModel(samples=ENOUGH)  # rests at 52 C, and 12 C for each core


def at(celsius: float, slope: float = 0.0) -> Smooth:
    return Smooth(fast=celsius, slow=celsius - slope * (SLOW_S - FAST_S))


def test_nothing_is_told_without_a_temperature() -> None:
    assert look(KNOWN, Smooth(), TRIPS, 4.0, paced=False) == Outlook()


def test_the_model_tells_once_it_knows() -> None:
    ahead = look(KNOWN, at(60.0, 0.1), TRIPS, 4.0, paced=False)
    assert ahead.until_hot == pytest.approx(KNOWN.seconds_until(78.0, 60.0, 4.0), abs=0.1)
    assert look(HeatModel(), at(60.0, 0.1), TRIPS, 4.0, paced=False).until_hot is None


@pytest.mark.parametrize("slope", [0.0, -0.2, 0.02])
def test_a_board_that_does_not_rise_is_not_on_its_way(slope: float) -> None:
    assert look(KNOWN, at(61.0, slope), TRIPS, 4.0, paced=False).until_hot is None


def test_a_board_that_rises_gets_there_whatever_the_model_says() -> None:
    assert look(HeatModel(), at(73.0, 0.1), TRIPS, 4.0, paced=False).until_hot == 50.0
    assert look(KNOWN, at(73.0, 0.1), TRIPS, 1.0, paced=False).until_hot == 50.0
    later = KNOWN.seconds_until(78.0, 73.0, 3.0)
    assert later is not None
    assert look(KNOWN, at(73.0, 0.5), TRIPS, 3.0, paced=False).until_hot == round(later, 1)


def test_a_slope_that_the_pace_will_end_is_not_drawn_out() -> None:
    assert look(KNOWN, at(76.0, 0.1), TRIPS, 1.0, paced=True).until_hot is None
    assert look(KNOWN, at(73.0, 0.02), TRIPS, 1.0, paced=False).until_hot is None
    assert look(KNOWN, at(69.0, 0.1), TRIPS, 1.0, paced=False).until_hot is None


def test_it_is_hot_or_at_rest_or_far() -> None:
    assert look(KNOWN, at(78.0), TRIPS, 4.0, paced=True).until_hot == 0.0
    assert look(KNOWN, at(60.0, 0.1), TRIPS, 0.0, paced=False).until_hot is None
    crawling = Trips(hot_c=400.0)
    assert look(HeatModel(), at(71.0, 0.05), crawling, 4.0, paced=False).until_hot is None


def test_it_cools_if_the_load_ends() -> None:
    ahead = look(KNOWN, at(77.0), TRIPS, 4.0, paced=True)
    assert ahead.until_free == pytest.approx(KNOWN.seconds_until(67.0, 77.0, 0.0), abs=0.1)
    assert look(HeatModel(), at(77.0), TRIPS, 4.0, paced=True).until_free is None
