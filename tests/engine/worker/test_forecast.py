"""What tokens will take, from what they took."""

from __future__ import annotations

import pytest

from edged.engine.worker.forecast import LONG, Forecast


def test_a_warm_up_sends_nobody_away() -> None:
    forecast = Forecast(0.1, 0.2)
    assert forecast.read_s(10) == pytest.approx(0.5)
    assert forecast.token_s == forecast.step_s == 0.2


def test_long_reads_and_lone_decodes_teach() -> None:
    forecast = Forecast(0.1, 0.2)
    for _ in range(30):
        forecast.observe(LONG * 0.02, LONG, 0)
        forecast.observe(0.125, 0, 4)
    assert forecast.read_s(100) == pytest.approx(2.0, rel=0.01)
    assert forecast.token_s == pytest.approx(0.125, rel=0.01)


def test_short_and_mixed_steps_do_not() -> None:
    forecast = Forecast(0.1, 0.2)
    forecast.observe(9.0, LONG - 1, 0)
    forecast.observe(9.0, 0, 0)
    assert (forecast.read_s(1), forecast.token_s) == (0.05, 0.2)


def test_a_pace_counts() -> None:
    forecast = Forecast(0.1, 0.1)
    forecast.set_pace(0.75, None)
    assert forecast.read_s(10) == pytest.approx(2.0)
    assert forecast.token_s == pytest.approx(0.4)
    assert forecast.step_s == 0.1
    forecast.set_pace(0.0, 2.0)
    assert forecast.read_s(10) == pytest.approx(0.5)
    assert forecast.token_s == 0.5
    forecast.set_pace(0.0, 100.0)
    assert forecast.token_s == 0.1
