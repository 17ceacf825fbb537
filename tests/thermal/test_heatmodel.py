from __future__ import annotations

from math import exp, isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.thermal.heatmodel import ENOUGH, GAIN, LOSS, SCALE_C, HeatModel, observe
from edged.thermal.heatmodel import REST_C as RESTS

REST_C, CORE_C, TAU_S = 45.0, 9.0, 150.0  # of a board made up


def board(
    loads: list[tuple[float, float]], start: float = REST_C, rest: float = REST_C
) -> list[tuple[float, float]]:
    """(celsius, cores) each second, under loads of (cores, seconds)."""
    celsius, found = start, []
    for cores, seconds in loads:
        end = rest + CORE_C * cores
        for _ in range(int(seconds)):
            celsius = end + (celsius - end) * exp(-1 / TAU_S)
            found.append((celsius, cores))
    return found


def fitted(moments: list[tuple[float, float]], model: HeatModel | None = None) -> HeatModel:
    model = model or HeatModel()
    start = model.at
    for second, (celsius, cores) in enumerate(moments, 1):
        model = observe(model, celsius, cores, start + second)
    return model


def test_a_first_order_board_is_found() -> None:
    model = fitted(board([(0, 30), (4, 200), (1, 200), (3, 300), (0, 200)]))
    assert model.known
    assert model.rises_to(0.0) == pytest.approx(REST_C, abs=1.5)
    assert model.rises_to(4.0) == pytest.approx(REST_C + 4 * CORE_C, abs=1.5)
    assert model.per_core(60.0) == pytest.approx(CORE_C * (1 - exp(-60 / TAU_S)), rel=0.1)


def test_a_window_that_opens_is_learned() -> None:
    before = board([(0, 30), (4, 300), (1, 200), (4, 300)])
    after = board([(4, 300), (1, 200), (4, 300), (2, 200), (4, 200)], before[-1][0], REST_C - 15)
    model = fitted(after, fitted(before))
    assert model.rises_to(4.0) == pytest.approx(REST_C - 15 + 4 * CORE_C, abs=3.0)


def test_seconds_until_a_limit_are_those_it_takes() -> None:
    model = fitted(board([(0, 30), (4, 200), (1, 200), (3, 300), (0, 200)]))
    truth = board([(4, 300)])
    hot = next(second for second, (celsius, _) in enumerate(truth) if celsius >= 70.0)
    assert model.seconds_until(70.0, REST_C, 4.0) == pytest.approx(hot, rel=0.1)
    rest = board([(0, 900)], 78.0)
    cool = next(second for second, (celsius, _) in enumerate(rest) if celsius < 67)
    assert model.seconds_until(67.0, 78.0, 0.0) == pytest.approx(cool, rel=0.1)


def test_a_limit_that_is_never_reached_has_no_time() -> None:
    model = HeatModel()
    assert model.seconds_until(78.0, 52.0, 0.0) is None
    assert model.seconds_until(40.0, 52.0, 0.0) is None
    assert model.seconds_until(model.rises_to(1.0), 52.0, 1.0) is None
    assert model.seconds_until(52.0, 52.0, 4.0) == 0.0


def test_what_does_not_change_teaches_nothing() -> None:
    model = fitted(board([(0, 30)]))
    noisy = [(REST_C + 0.4 * (-1) ** second, 0.0) for second in range(600)]
    assert fitted(noisy, model).fit == HeatModel().fit
    assert not fitted(noisy).known


def test_it_is_believed_after_enough_samples() -> None:
    moments = board([(4, 200)])
    models = [fitted(moments[:seconds]) for seconds in (5, 15, 150)]
    assert [model.known for model in models] == [False, False, True]
    assert models[-1].samples == ENOUGH


def test_a_change_of_load_teaches_before_the_temperature_moves() -> None:
    model = fitted([(60.0, 2.0)] * 30)
    assert model.samples == 1
    assert fitted([(60.0, 2.2)] * 60, model).samples == 1
    assert fitted([(60.0, 3.0)] * 60, model).samples == 2


def test_a_gap_teaches_nothing() -> None:
    model = observe(HeatModel(), 50.0, 0.0, 0.0)
    model = observe(model, 70.0, 4.0, 61.0)
    assert model.samples == 0
    assert observe(model, 72.0, 4.0, 66.0).samples == 1


@given(st.lists(st.tuples(st.floats(-40, 150), st.floats(0, 64), st.floats(0, 100)), max_size=60))
def test_whatever_was_seen_it_stays_a_board(moments: list[tuple[float, float, float]]) -> None:
    model, now = HeatModel(), 0.0
    for celsius, cores, dt in moments:
        now += dt
        model = observe(model, celsius, cores, now)
    assert LOSS[0] * (1 - 1e-9) <= model.loss <= LOSS[1] * (1 + 1e-9)
    assert GAIN[0] <= model.fit.theta[2] <= GAIN[1]
    assert isfinite(model.rises_to(4.0))
    assert RESTS[0] - 1e-6 <= model.rises_to(0.0) <= RESTS[1] + 1e-6
    assert model.per_core(60.0) > 0.0
    assert model.fit.theta[1] >= SCALE_C * LOSS[0]
