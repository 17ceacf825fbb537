from __future__ import annotations

import random
from itertools import starmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.thermal.leastsquares import Fit, Vector, learn, unsure

TRUE: Vector = (0.5, -2.0, 3.0)


def samples(count: int, true: Vector = TRUE, noise: float = 0.0) -> list[tuple[Vector, float]]:
    draw = random.Random(7)  # noqa: S311 - no secret
    found = []
    for _ in range(count):
        x = (1.0, draw.uniform(-2, 2), draw.uniform(0, 4))
        y = sum(starmap(float.__mul__, zip(true, x, strict=True)))
        found.append((x, y + draw.gauss(0, noise)))
    return found


def taught(fit: Fit, lessons: list[tuple[Vector, float]], keep: float = 0.99) -> Fit:
    for x, y in lessons:
        fit = learn(fit, x, y, keep=keep, most=10.0)
    return fit


def test_exact_samples_give_the_exact_unknowns() -> None:
    fit = taught(unsure((0.0, 0.0, 0.0), 10.0), samples(200))
    assert fit.theta == pytest.approx(TRUE, abs=1e-3)


def test_noise_is_averaged() -> None:
    fit = taught(unsure((0.0, 0.0, 0.0), 10.0), samples(500, noise=0.1))
    assert fit.theta == pytest.approx(TRUE, abs=0.1)


def test_what_changed_is_learned_anew() -> None:
    fit = taught(unsure((0.0, 0.0, 0.0), 10.0), samples(300))
    fit = taught(fit, samples(300, true=(1.0, -1.0, 2.0)), keep=0.97)
    assert fit.theta == pytest.approx((1.0, -1.0, 2.0), abs=0.01)


def test_a_guess_stays_where_nothing_tells_of_it() -> None:
    fit = taught(unsure((0.0, 5.0, 0.0), 10.0), [((1.0, 0.0, 2.0), 4.0)] * 50)
    assert fit.theta[1] == 5.0
    assert fit.theta[0] + 2 * fit.theta[2] == pytest.approx(4.0, abs=0.01)


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(0, 8), st.floats(-5, 5)), max_size=200))
def test_the_covariance_is_bounded_and_stays_one(lessons: list[tuple[float, float, float]]) -> None:
    fit = unsure((0.0, 0.0, 0.0), 10.0)
    for u, v, y in lessons:
        fit = learn(fit, (1.0, u, v), y, keep=0.9, most=10.0)
        for i, row in enumerate(fit.covariance):
            assert 0.0 <= row[i] <= 10.0 * (1 + 1e-9)
            for j in range(3):
                assert row[j] == pytest.approx(fit.covariance[j][i], abs=1e-6)
