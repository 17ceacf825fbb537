from __future__ import annotations

import pytest

from bench.plant.rates import MODEL_30B, MODEL_30B_SCALING, SATURATED, SCALING, like


def test_at_the_full_clock_the_published_curve_comes_out() -> None:
    for curve in (SATURATED, SCALING):
        model = like("a file", curve, curve[-1], 10.0)
        rates = [model.decode_tps(threads, 2400.0) for threads in (1, 2, 3, 4)]
        assert rates == pytest.approx(curve)


def test_four_threads_do_what_was_published_of_the_model() -> None:
    assert MODEL_30B.decode_tps(4, 2400.0) == pytest.approx(8.03)
    assert MODEL_30B.threads == 3
    assert MODEL_30B_SCALING.threads == 4


def test_less_clock_costs_less_than_its_share_where_memory_is_the_limit() -> None:
    one, four = (
        MODEL_30B.decode_tps(threads, 1500.0) / MODEL_30B.decode_tps(threads, 2400.0)
        for threads in (1, 4)
    )
    assert one == pytest.approx(0.625)
    assert 0.8 < four < 0.95


def test_reading_is_the_cores_business() -> None:
    assert MODEL_30B.prefill_tps(4, 2400.0) == 10.9
    assert MODEL_30B.prefill_tps(2, 1200.0) == pytest.approx(10.9 / 4)
