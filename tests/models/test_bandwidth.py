from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edged.models.bandwidth import LeastRate, TokenBucket

PIECES = st.lists(st.tuples(st.integers(1, 1 << 20), st.floats(0, 2)), min_size=1, max_size=60)


@given(st.floats(1, 1e9), PIECES)
def test_the_rate_holds_over_any_time_but_for_one_burst(
    rate: float, pieces: list[tuple[int, float]]
) -> None:
    now = 100.0
    bucket = TokenBucket(rate, now)
    came = 0
    for size, pause in pieces:
        now += pause
        came += size
        now += bucket.take(size, now)
        # a second's worth may have been saved up, never more
        assert came <= (now - 100.0 + 1.0) * rate * (1 + 1e-9) + 1e-3


@given(PIECES)
def test_without_a_cap_nothing_waits(pieces: list[tuple[int, float]]) -> None:
    bucket = TokenBucket(None, 0)
    assert all(bucket.take(size, pause) == 0 for size, pause in pieces)


def test_a_clock_that_stands_or_falls_back_gives_nothing() -> None:
    bucket = TokenBucket(100, 50)
    assert bucket.take(100, 50) == 1
    assert bucket.take(0, 10) == 1
    assert bucket.take(0, 51) == 0


def test_a_drip_is_slow_and_a_flow_is_not() -> None:
    drip = LeastRate(1000, 60)
    assert [drip.on(1, 10) for _ in range(7)] == [False] * 5 + [True, False]
    flow = LeastRate(1000, 60)
    assert not any(flow.on(10_000, 10) for _ in range(100))


def test_each_window_is_judged_by_itself() -> None:
    line = LeastRate(1000, 60)
    assert not line.on(1 << 30, 60)
    assert line.on(10, 60)


def test_a_pause_of_ours_is_not_the_servers() -> None:
    line = LeastRate(1000, 60)
    assert not any(line.on(10, 0.0) for _ in range(10_000))
