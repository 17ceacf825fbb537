"""Tokens come evenly, under the cap, and a late one is no reason for a burst."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.engine.worker.cadence import CATCH_UP, Cadence

RATES = st.floats(0.1, 1e4)
LATE = st.lists(st.floats(0, 3), min_size=1, max_size=50)


def paced(tps: float | None) -> Cadence:
    cadence = Cadence()
    cadence.set(tps)
    return cadence


def begins(cadence: Cadence, late_s: list[float], now: float = 0.0) -> list[float]:
    """When each step begins if it is late by so much."""
    times = []
    for late in late_s:
        now += cadence.wait_s(now) + late
        cadence.took(now)
        times.append(now)
    return times


def test_without_a_cap_nobody_waits() -> None:
    cadence = paced(None)
    assert begins(cadence, [0.0] * 3, 7.0) == [7.0] * 3
    assert cadence.wait_s(7.0) == 0.0


def test_steps_in_time_are_a_period_apart() -> None:
    times = begins(paced(8.0), [0.0] * 9, 5.0)
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps[1:] == pytest.approx([0.125] * 7)


def test_a_step_that_is_a_little_late_is_made_up_for() -> None:
    times = begins(paced(10.0), [0.0, 0.0, 0.02, 0.0, 0.0])
    assert times[2:] == pytest.approx([0.195, 0.275, 0.375]), "the third stays where it was due"


def test_a_step_that_is_late_by_far_is_not_made_up_for() -> None:
    times = begins(paced(10.0), [0.0, 0.5, 0.0, 0.0, 0.0, 0.0])
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps[1:] == pytest.approx([0.075, 0.1, 0.1, 0.1])


def test_a_new_pace_counts_from_the_last_token() -> None:
    cadence = paced(0.1)
    cadence.took(100.0)
    cadence.took(107.5)
    assert cadence.wait_s(108.0) > 8.0
    cadence.set(1.0)
    assert cadence.wait_s(108.0) == pytest.approx(0.5)
    cadence.set(None)
    assert cadence.wait_s(108.0) == 0.0
    cadence.set(0.5)
    assert cadence.wait_s(108.0) == pytest.approx(1.5)


@given(RATES, LATE)
def test_no_two_tokens_come_together_and_all_together_keep_the_cap(
    tps: float, late: list[float]
) -> None:
    period = 1.0 / tps
    times = begins(paced(tps), [share * period for share in late])
    for before, after in pairwise(times):
        assert after - before >= period * (1.0 - CATCH_UP) * 0.999
    for count, time in enumerate(times):
        assert count <= (time - times[0]) * tps + CATCH_UP + 0.01
