from __future__ import annotations

import pytest

from edged.thermal.governor import DOWN, HOLD_S, LEAST_CORES, MINUTE_C, UP, Rules, State
from edged.thermal.pace import Admit, Pace, Sample
from tests.thermal.governing import RULES, drive, steady, work

FREE = Pace()


def test_a_cool_board_is_free() -> None:
    _, paces = drive(steady(50.0, 60))
    assert set(paces) == {FREE}


def test_a_board_that_never_told_is_free() -> None:
    _, paces = drive([Sample(reason="no zone")] * 60)
    assert set(paces) == {FREE}


def test_a_board_that_rests_warm_begins_gently() -> None:
    """At 72 C a core more brings it to 76 C within seconds: four would pass the limit."""
    state, _ = drive(steady(72.0, 120, busy=0.0))
    assert state.cores == pytest.approx(5.5 / MINUTE_C, abs=0.05)
    assert drive(steady(55.0, 60, busy=0.0))[1][-1] == FREE


def test_a_rising_one_is_slowed_before_the_trip() -> None:
    rising = [60 + 0.3 * second for second in range(56)]
    _, paces = drive(Sample(celsius=celsius, busy=4.0) for celsius in rising)
    slowed = next(second for second, pace in enumerate(paces) if pace.throttle != "none")
    assert 70.0 <= rising[slowed] <= 74.0
    assert work(paces[-1]) < 3.0
    assert paces[-1].admit is Admit.ALL
    assert paces[-1].throttle == "paced"


def obeyed(celsius: float, seconds: int, state: State) -> tuple[State, list[Pace]]:
    """At one temperature, the engine doing what it is told."""
    paces = [FREE]
    for _ in range(seconds):
        sample = Sample(celsius=celsius, busy=work(paces[-1]), possible_tps=11.0)
        state, more = drive([sample], state)
        paces += more
    return state, paces


def test_in_order_rate_threads_rests() -> None:
    _, paces = obeyed(77.9, 900, State())
    rate = next(i for i, pace in enumerate(paces) if pace.decode_tps is not None)
    threads = next(i for i, pace in enumerate(paces) if (pace.threads or 4) < 4)
    rests = next(i for i, pace in enumerate(paces) if pace.threads == 1 and pace.idle_share)
    assert (paces[rate].decode_tps or 0.0) >= RULES.target_tps
    assert rate < threads < rests
    assert {pace.admit for pace in paces} == {Admit.ALL}


def test_and_then_admission() -> None:
    state, _ = obeyed(77.9, 60, State())
    seen = []
    for celsius in (78.5, 81.0, 83.5):
        state, paces = obeyed(celsius, 30, state)
        seen.append(paces[-1].admit)
    assert seen == [Admit.NO_BACKGROUND, Admit.URGENT, Admit.NONE]


def test_at_critical_what_runs_goes_on() -> None:
    _, paces = drive(steady(90.0, 60))
    assert paces[-1].admit is Admit.NONE
    assert paces[-1].threads == 1
    assert paces[-1].idle_share == pytest.approx(1 - LEAST_CORES)


def test_it_tells_when_it_will_be_hot_and_when_free() -> None:
    rising = [Sample(celsius=50 + 20 * (1 - 0.99**second), busy=3.0) for second in range(60)]
    assert drive(rising)[1][-1].cooldown_eta_s is None
    steeper = [Sample(celsius=50 + 40 * (1 - 0.99**second), busy=4.0) for second in range(100)]
    state, paces = drive(steeper)
    left = paces[-1].time_to_throttle_s
    assert left is not None
    assert 5 < left < 40  # true: 19 s
    assert paces[-1].cooldown_eta_s is not None
    assert drive(steady(79.0, 20), state)[1][-1].time_to_throttle_s == 0.0


def test_a_silent_sensor_is_believed_for_ten_seconds_and_then_missed() -> None:
    state, before = drive(steady(50.0, 20))
    held = drive([Sample(reason="gone")] * int(HOLD_S), state)[1]
    assert set(held) == {before[-1]}
    _, paces = drive([Sample(reason="gone")] * 180, state)
    assert work(paces[-1]) == pytest.approx(1.0, abs=0.06)
    assert paces[-1].admit is Admit.NO_BACKGROUND
    assert paces[-1].throttle == "paced"
    assert paces[-1].time_to_throttle_s is None


def test_a_sensor_that_comes_back_frees_the_pace() -> None:
    state, _ = drive([*steady(50.0, 20), *steady(None, 60)])
    _, paces = drive(steady(50.0, 180), state)
    assert paces[1].admit is Admit.NO_BACKGROUND  # not before it told three times
    assert paces[-1] == FREE


def test_a_hot_board_that_falls_silent_is_not_let_loose() -> None:
    state, paces = drive(steady(90.0, 60))
    _, blind = drive(steady(None, 60), state)
    assert work(blind[-1]) == work(paces[-1])
    assert blind[-1].admit is Admit.NONE


@pytest.mark.parametrize(
    ("sample", "word"),
    [
        (Sample(celsius=50.0), "none"),
        (Sample(celsius=50.0, capped=True), "capped"),
        (Sample(celsius=50.0, capped=True, soft=True), "soft"),
        (Sample(celsius=50.0, capped=True, soft=True, undervoltage=True), "undervoltage"),
    ],
)
def test_one_word_says_what_slows_us(sample: Sample, word: str) -> None:
    assert drive([sample] * 5)[1][-1].throttle == word


def test_fewer_threads_in_new_rules_are_kept_to() -> None:
    state, _ = drive(steady(90.0, 20))
    fewer = Rules(target_tps=8.0, threads=1, threads_batch=2, prefill_chunk=32)
    _, paces = drive(steady(90.0, 2), state, rules=fewer)
    assert [pace.threads for pace in paces] == [1, 1]
    assert {pace.threads_batch for pace in paces} <= {1, 2}
    assert paces[-1].prefill_chunk == 32
    roomy, _ = drive(steady(50.0, 20))
    assert drive(steady(50.0, 1), roomy, rules=fewer)[0].threads == 2


def test_steps_have_their_bounds() -> None:
    state, paces = drive(steady(150.0, 6, busy=4.0))
    # three readings before the first move
    assert work(paces[-1]) == pytest.approx(4 - 4 * DOWN, abs=0.06)
    assert state.cores is not None
    after, _ = drive(steady(50.0, 20), state)
    assert after.cores is not None
    assert after.cores <= state.cores + 20 * UP + 1e-9


def test_what_was_remembered_is_plain_values() -> None:
    state, _ = drive(steady(79.0, 30))
    assert state != State()
    assert hash(state) == hash(drive(steady(79.0, 30))[0])
