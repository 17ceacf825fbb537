from __future__ import annotations

import pytest

from bench.plant.coolers import ACTIVE, BARE, fan_step


@pytest.mark.parametrize(
    ("celsius", "before", "step"),
    [(49.9, 0, 0), (50.0, 0, 1), (60.0, 1, 2), (67.5, 2, 3), (75.0, 3, 4), (80.0, 0, 4)],
)
def test_the_fan_rises_by_the_firmwares_curve(celsius: float, before: int, step: int) -> None:
    assert fan_step(ACTIVE, before, celsius) == step


def test_it_falls_five_degrees_later() -> None:
    assert fan_step(ACTIVE, 2, 55.1) == 2
    assert fan_step(ACTIVE, 2, 55.0) == 1
    assert fan_step(ACTIVE, 1, 45.0) == 0


def test_nothing_turns_without_a_fan() -> None:
    assert fan_step(BARE, 0, 95.0) == 0
    assert BARE.to_air(0) == BARE.outer


def test_more_air_is_less_resistance() -> None:
    steps = [ACTIVE.to_air(step) for step in range(5)]
    assert steps == sorted(steps, reverse=True)


def test_another_board_of_the_kind() -> None:
    other = ACTIVE.scaled(1.2, 0.8)
    assert other.to_air(4) == pytest.approx(1.2 * ACTIVE.to_air(4))
    assert other.inner == pytest.approx(1.2 * ACTIVE.inner)
    assert other.capacity == pytest.approx(0.8 * ACTIVE.capacity)
