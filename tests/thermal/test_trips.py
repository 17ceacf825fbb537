from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.thermal.pace import Admit
from edged.thermal.trips import Trips, admit, warm

TRIPS = Trips(passive_c=70.0, hot_c=78.0, critical_c=83.0, hysteresis_c=3.0)
TEMPERATURES = st.floats(-40, 150)


@pytest.mark.parametrize(
    ("celsius", "who"),
    [
        (77.9, Admit.ALL),
        (78.0, Admit.NO_BACKGROUND),
        (80.4, Admit.NO_BACKGROUND),
        (80.5, Admit.URGENT),
        (82.9, Admit.URGENT),
        (83.0, Admit.NONE),
    ],
)
def test_each_trip_point_lets_fewer_in(celsius: float, who: Admit) -> None:
    assert admit(TRIPS, celsius, Admit.ALL) is who


@pytest.mark.parametrize(
    ("celsius", "who"),
    [
        (80.1, Admit.NONE),
        (79.9, Admit.URGENT),
        (77.6, Admit.URGENT),
        (77.4, Admit.NO_BACKGROUND),
        (75.0, Admit.NO_BACKGROUND),
        (74.9, Admit.ALL),
    ],
)
def test_each_is_undone_only_below_its_hysteresis(celsius: float, who: Admit) -> None:
    assert admit(TRIPS, celsius, Admit.NONE) is who


@given(TEMPERATURES, TEMPERATURES, st.sampled_from(Admit))
def test_nobody_more_comes_when_it_is_hotter(one: float, two: float, before: Admit) -> None:
    assert admit(TRIPS, min(one, two), before) <= admit(TRIPS, max(one, two), before)


@given(st.sampled_from([78.0, 80.5, 83.0]), st.lists(st.floats(0.0, 2.99), min_size=2))
def test_within_the_hysteresis_nothing_swings(trip: float, below: list[float]) -> None:
    who = admit(TRIPS, trip, Admit.ALL)
    for depth in below:
        assert admit(TRIPS, trip - depth, who) is who


def test_warm_holds_until_the_hysteresis_is_passed() -> None:
    assert [warm(TRIPS, celsius, before=False) for celsius in (69.9, 70.0)] == [False, True]
    assert [warm(TRIPS, celsius, before=True) for celsius in (66.9, 67.0)] == [False, True]
