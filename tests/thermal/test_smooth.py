from __future__ import annotations

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.thermal.smooth import Smooth, approach, take

TEMPERATURES = st.floats(-40, 150)


def after(readings: list[float], dt: float = 1.0) -> Smooth:
    state = Smooth()
    for celsius in readings:
        state = take(state, celsius, dt)
    return state


def test_nothing_is_said_before_three_readings() -> None:
    assert after([50.0, 50.0]).fast is None
    assert after([50.0, 50.0]).slope == 0.0
    assert after([50.0, 90.0, 51.0]).fast == 51.0


@given(st.lists(st.just(50.0), min_size=3, max_size=20), TEMPERATURES, st.integers(1, 5))
def test_one_reading_that_lies_is_not_seen(before: list[float], spike: float, more: int) -> None:
    state = after([*before, spike, *[50.0] * more])
    assert state.fast == pytest.approx(50.0)
    assert state.slope == pytest.approx(0.0, abs=1e-9)


def test_the_slope_of_a_ramp_is_found() -> None:
    state = after([40.0 + 0.2 * second for second in range(90)])
    assert state.slope == pytest.approx(0.2, rel=0.02)


def test_a_plateau_has_no_slope() -> None:
    state = after([*[40.0] * 10, *[60.0] * 120])
    assert state.fast == pytest.approx(60.0)
    assert state.slope == pytest.approx(0.0, abs=1e-3)


@given(st.lists(TEMPERATURES, min_size=3, max_size=30), TEMPERATURES, TEMPERATURES)
def test_a_hotter_reading_never_reads_cooler(before: list[float], one: float, two: float) -> None:
    cool, hot = after([*before, min(one, two)]), after([*before, max(one, two)])
    assert cool.fast is not None
    assert hot.fast is not None
    assert cool.fast <= hot.fast
    assert cool.slope <= hot.slope


def test_an_approach_takes_its_time() -> None:
    assert approach(1.0, 0.0, 20.0, 20.0) == pytest.approx(exp(-1))
    assert approach(1.0, 0.0, 0.0, 20.0) == 1.0
