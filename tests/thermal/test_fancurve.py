from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.thermal.fancurve import CURVE, FULL, HYSTERESIS_C, share, step

STEPS = st.integers(0, FULL)
CELSIUS = st.floats(-40, 150)


def run(start: int, temperatures: list[float]) -> list[int]:
    steps = [start]
    for celsius in temperatures:
        steps.append(step(steps[-1], celsius))
    return steps[1:]


def test_it_speeds_up_at_the_trips_and_slows_down_below_them() -> None:
    up = run(0, [20, 49.9, 50, 59.9, 60, 67.5, 75, 110])
    assert up == [0, 0, 1, 1, 2, 3, 4, 4]
    down = run(FULL, [74, 70, 69.9, 62.5, 62.4, 55, 54.9, 45, 44.9])
    assert down == [4, 4, 3, 3, 2, 2, 1, 1, 0]


def test_a_sudden_change_is_followed_at_once() -> None:
    assert step(0, 90.0) == FULL
    assert step(FULL, 20.0) == 0


@pytest.mark.parametrize("lost", [None, math.nan])
@pytest.mark.parametrize("before", range(FULL + 1))
def test_without_a_temperature_it_turns_fully(before: int, lost: float | None) -> None:
    assert share(step(before, lost)) == 1.0


def test_the_speeds_rise_from_nothing_to_full() -> None:
    speeds = [share(at) for at in range(FULL + 1)]
    assert speeds == sorted(set(speeds))
    assert (speeds[0], speeds[-1]) == (0.0, 1.0)


@given(STEPS, CELSIUS, CELSIUS)
def test_it_is_never_slower_when_hotter(before: int, one: float, other: float) -> None:
    assert step(before, min(one, other)) <= step(before, max(one, other))


@given(STEPS, st.floats(-40, 140), st.lists(st.floats(0, 0.999), max_size=30))
def test_it_never_oscillates_within_the_hysteresis(
    start: int, low: float, places: list[float]
) -> None:
    steps = run(start, [low + place * HYSTERESIS_C for place in places])
    changes = {late - early > 0 for early, late in pairwise(steps) if late != early}
    assert len(changes) <= 1


@given(STEPS, CELSIUS)
def test_it_is_at_least_as_fast_as_the_temperature_asks(before: int, celsius: float) -> None:
    wanted = max((speed for trip, speed in CURVE if celsius >= trip), default=0.0)
    assert share(step(before, celsius)) >= wanted
    assert step(step(before, celsius), celsius) == step(before, celsius)
