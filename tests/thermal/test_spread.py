from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.thermal.pace import Pace, Sample
from edged.thermal.spread import MOST_IDLE, PACED_CHUNK, Rules, spread, threads

RULES = Rules(target_tps=8.0, threads=3, threads_batch=4, prefill_chunk=512)
CORES = st.floats(0.1, 4.0)


@pytest.mark.parametrize(
    ("cores", "before", "tps", "count"),
    [
        (4.0, 3, None, 4),
        (3.39, 3, None, 3),
        (3.4, 3, None, 4),
        (3.2, 4, None, 4),
        (3.19, 4, None, 3),
        (0.1, 4, None, 3),  # one at a time
        (0.1, 1, None, 1),
        (3.0, 4, 11.0, 4),  # 8.25 tok/s with all threads: fast enough
        (2.8, 4, 11.0, 3),  # 7.7 tok/s are not
    ],
)
def test_a_thread_goes_when_the_target_cannot_be_had_with_it(
    cores: float, before: int, tps: float | None, count: int
) -> None:
    assert threads(RULES, cores, before, tps) == count


@given(CORES, st.integers(1, 4))
def test_threads_settle_and_do_not_swing(cores: float, before: int) -> None:
    for _ in range(4):
        before = threads(RULES, cores, before, None)
    assert threads(RULES, cores, before, None) == before
    assert threads(RULES, max(0.1, cores - 0.05), before, None) >= before - 1


def test_down_to_the_target_the_rate_is_paced() -> None:
    pace = spread(RULES, 2.4, 4, Sample(possible_tps=12.0))
    assert pace.decode_tps == pytest.approx(9.6)
    assert (pace.threads, pace.threads_batch, pace.idle_share) == (3, 4, 0.2)
    assert pace.prefill_chunk == PACED_CHUNK


def test_cores_that_decode_does_not_need_do_not_pace_it() -> None:
    assert spread(RULES, 3.4, 4, Sample(possible_tps=12.0)) == Pace()
    assert spread(RULES, 3.4, 3, Sample(possible_tps=12.0)).threads_batch == 3
    assert spread(RULES, 3.98, 4, Sample()) == Pace()


def test_below_the_target_the_rests_say_all() -> None:
    assert spread(RULES, 2.4, 3, Sample(possible_tps=9.9)).decode_tps is None
    assert spread(RULES, 2.4, 3, Sample()).decode_tps is None


def test_fewer_threads_do_not_rest_if_they_need_not() -> None:
    pace = spread(RULES, 2.1, 2, Sample(possible_tps=9.9))
    assert (pace.threads, pace.threads_batch, pace.idle_share) == (2, 2, 0.0)
    assert pace.decode_tps is None


def test_little_is_little_and_not_nothing() -> None:
    assert spread(RULES, 0.01, 1, Sample()).idle_share == MOST_IDLE
    assert spread(RULES, 0.2, 1, Sample()).idle_share == 0.8


@given(CORES, CORES, st.integers(1, 4), st.none() | st.floats(0.1, 50))
def test_more_cores_are_never_slower(
    one: float, two: float, before: int, tps: float | None
) -> None:
    less, more = (
        work(spread(RULES, cores, threads(RULES, cores, before, tps), Sample(possible_tps=tps)))
        for cores in sorted((one, two))
    )
    assert less <= more + 1e-9


def work(pace: Pace) -> float:
    return (pace.threads or 4) * (1 - pace.idle_share)
