"""The governor on boards that differ from the one it was tried on."""

from __future__ import annotations

import random
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.plant import cases
from bench.plant.board import Plant
from bench.plant.bound import most_tps
from bench.plant.coolers import ACTIVE, BARE, CASE, HEATSINK, Cooler
from bench.plant.firmware import SOFT_C
from bench.plant.rates import MODEL_30B, MODEL_30B_SCALING, Model
from bench.plant.server import Requests
from bench.plant.soak import TRIPS, Governor, Moment, soak
from edged.thermal.pace import Admit, Pace

SECONDS = 1500
SETTLED = 600
FACTORS = st.sampled_from((0.8, 0.9, 1.0, 1.1, 1.2))
REQUESTS = Requests()


def governed(plant: Plant, model: Model, requests: Requests = REQUESTS) -> list[Moment]:
    return soak(plant, model, Governor(model, random.Random(3)), requests, SECONDS)  # noqa: S311


def test_an_hour_bare_is_never_above_the_limit_and_is_near_what_physics_allows() -> None:
    case = cases.run(BARE, 20.0, MODEL_30B, REQUESTS, 3600)
    assert cases.above(case.edged, SOFT_C) == 0
    assert cases.above(case.firmware, SOFT_C) > 3000
    assert cases.tokens(case.edged) >= 0.9 * case.most
    assert case.ratio == cases.tokens(case.edged) / cases.tokens(case.firmware)


def test_with_a_fan_nothing_is_lost() -> None:
    case = cases.run(ACTIVE, 30.0, MODEL_30B, REQUESTS, SECONDS)
    assert case.ratio == 1.0


def test_it_does_not_swing() -> None:
    """Once settled: within three degrees, and a thread comes or goes every few minutes at most."""
    for cooler in (BARE, HEATSINK, CASE):
        moments = governed(Plant(cooler, 30.0), MODEL_30B)[SETTLED:]
        heat = [moment.celsius for moment in moments]
        assert max(heat) - min(heat) < 3.0
        threads = [moment.pace.threads for moment in moments]
        assert sum(a != b for a, b in pairwise(threads)) <= 6


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(list(product((BARE, HEATSINK, CASE, ACTIVE), (20.0, 30.0, 40.0)))),
    FACTORS,
    FACTORS,
    FACTORS,
    st.sampled_from((MODEL_30B, MODEL_30B_SCALING)),
)
def test_the_goals_hold_on_boards_a_fifth_apart(
    place: tuple[Cooler, float], resistance: float, capacity: float, watts: float, model: Model
) -> None:
    cooler, room = place[0].scaled(resistance, capacity), place[1]
    rest = Plant(cooler, room, watts=watts).step(1.0, 0.0).celsius
    moments = governed(Plant(cooler, room, watts=watts), model)
    if rest > TRIPS.hot_c - 3.0:  # physics leaves nothing to pace
        assert moments[-1].pace.threads == 1
        assert moments[-1].pace.idle_share >= 0.8
        return
    assert cases.above_again(moments, SOFT_C) == 0
    assert cases.above(moments, SOFT_C) <= 20
    # more watts at the same resistance are as hot as more resistance
    most = most_tps(cooler.scaled(watts, 1.0), room, model, REQUESTS, TRIPS.hot_c)
    late = cases.tokens(moments[SETTLED:]) / (SECONDS - SETTLED)
    assert late >= 0.85 * most - 0.05


@pytest.mark.parametrize("cooler", [CASE, ACTIVE])
def test_a_prompt_a_minute_is_answered_in_full(cooler: Cooler) -> None:
    moments = governed(Plant(cooler, 30.0), MODEL_30B, Requests(every=60.0))
    assert cases.tokens(moments) == pytest.approx(128 * SECONDS / 60)
    assert {moment.pace.admit for moment in moments} == {Admit.ALL}


def moments(*heat: float) -> list[Moment]:
    return [Moment(celsius=celsius, tokens=2.0, mhz=2400.0, pace=Pace()) for celsius in heat]


def test_seconds_above_are_counted_from_the_second_time_on() -> None:
    assert cases.above(moments(79, 81, 82, 79, 81), 80.0) == 3
    assert cases.above_again(moments(79, 81, 82, 79, 81), 80.0) == 1
    assert cases.above_again(moments(79, 81, 82), 80.0) == 1
    assert cases.above_again(moments(79, 79), 80.0) == 0


def test_a_rate_that_does_not_change_has_no_variance() -> None:
    assert cases.variance(moments(*[50.0] * 120)) == 0.0
    assert cases.means([1.0, 3.0, 5.0], 2) == (2.0, 5.0)
