"""What holds for whatever a sensor says."""

from __future__ import annotations

from itertools import pairwise
from math import inf, isfinite, nan
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from edged.thermal.governor import DOWN, HIGHEST_C, UP, State, step
from edged.thermal.pace import Admit, Pace, Sample
from edged.thermal.spread import MOST_IDLE, STEP
from tests.thermal.governing import RULES, drive, steady, work

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDED = STEP + 1e-6
UNTIMED = settings(deadline=None)  # minutes of steps, on a machine that others use too
TEMPERATURES = st.floats(20, 95)
SAMPLES = st.builds(
    Sample,
    celsius=TEMPERATURES,
    busy=st.floats(0, 4),
    possible_tps=st.none() | st.floats(0.5, 40),
)
# Up to what a board can be; beyond, the sensor is silent for that second, and the pace waits.
SPIKES = st.floats(-60, HIGHEST_C - 95)
ANY = st.floats() | st.sampled_from([nan, inf, -inf, -274.0, 200.0, 1e308])
JUNK = st.builds(
    Sample,
    celsius=st.none() | ANY,
    busy=ANY,
    possible_tps=st.none() | ANY,
    decoding=st.integers(-1, 9),
    threads=st.integers(-1, 99),
)
# stretches of the same sample, for a board does not change its mind each second
HISTORIES = st.lists(st.tuples(SAMPLES, st.integers(1, 40)), max_size=8).map(
    lambda runs: [sample for sample, seconds in runs for _ in range(seconds)]
)


@UNTIMED
@given(HISTORIES, SAMPLES, TEMPERATURES)
def test_never_faster_when_hotter(history: list[Sample], last: Sample, other: float) -> None:
    state, _ = drive(history)
    now = (state.at or 0.0) + 1.0
    cool, hot = sorted((last.celsius or 0.0, other))
    paces = [
        step(state, RULES, Sample(celsius=celsius, busy=last.busy), now)[1]
        for celsius in (cool, hot)
    ]
    assert work(paces[1]) <= work(paces[0]) + 1e-9
    assert paces[1].admit >= paces[0].admit


@UNTIMED
@given(st.floats(0, 4), TEMPERATURES, TEMPERATURES)
def test_nor_when_it_stays_hotter(busy: float, one: float, two: float) -> None:
    cool, hot = (
        [work(pace) for pace in drive(steady(celsius, 120, busy=busy))[1]]
        for celsius in sorted((one, two))
    )
    assert all(slow <= fast + 1e-9 for fast, slow in zip(cool, hot, strict=True))


@UNTIMED
@given(st.lists(JUNK, max_size=80), st.floats(0.1, 90))
def test_any_number_is_harmless(samples: list[Sample], every: float) -> None:
    state, paces = drive(samples, every=every)
    assert state.cores is None or isfinite(state.cores)
    for pace in paces:
        assert 0.0 <= pace.idle_share <= MOST_IDLE
        assert pace.threads in {None, 1, 2, 3, 4}
        assert pace.decode_tps is None or RULES.target_tps <= pace.decode_tps < inf
        for seconds in (pace.time_to_throttle_s, pace.cooldown_eta_s):
            assert seconds is None or seconds >= 0.0
    assert drive(steady(45.0, 240, busy=0.0), state)[1][-1] == Pace()


@UNTIMED
@given(HISTORIES)
def test_steps_are_bounded(history: list[Sample]) -> None:
    paces = [Pace(), *drive(history)[1]]
    for before, after in pairwise(map(work, paces)):
        assert after >= before - DOWN - 1.0  # a thread goes at once, and the rests follow
        assert after <= before + UP + 1.0
    for one, two in pairwise(paces):
        assert abs((one.threads or 4) - (two.threads or 4)) <= 1


@UNTIMED
@given(HISTORIES)
def test_cores_move_by_bounded_steps(history: list[Sample]) -> None:
    state, cores = State(), 4.0
    for sample in history:
        state, _ = drive([sample], state)
        now = 4.0 if state.cores is None else state.cores
        assert cores - DOWN - 1e-9 <= now <= cores + UP + 1e-9
        cores = now


@UNTIMED
@given(HISTORIES)
def test_it_recovers_fully(history: list[Sample]) -> None:
    state, _ = drive(history)
    _, paces = drive(steady(50.0, 240, busy=0.0), state)
    assert paces[-1] == Pace()


@UNTIMED
@given(TEMPERATURES, SPIKES, st.integers(3, 30), st.floats(0, 4))
def test_one_spike_changes_nothing(celsius: float, spike: float, before: int, busy: float) -> None:
    calm = steady(celsius, before + 30, busy=busy)
    spiked = [*calm[:before], Sample(celsius=celsius + spike, busy=busy), *calm[before + 1 :]]
    assert alike(drive(calm)[1], drive(spiked)[1])


def alike(one: Sequence[Pace], two: Sequence[Pace]) -> bool:
    """The same but for roundings of a mean."""
    return all(
        a.admit is b.admit and abs(work(a) - work(b)) <= ROUNDED
        for a, b in zip(one, two, strict=True)
    )


@UNTIMED
@given(st.lists(st.floats(75.1, 77.9), min_size=10, max_size=120))
def test_inside_a_hysteresis_admission_does_not_swing(band: list[float]) -> None:
    state, paces = drive(steady(78.5, 20))
    assert paces[-1].admit is Admit.NO_BACKGROUND
    _, paces = drive([Sample(celsius=celsius, busy=1.0) for celsius in band], state)
    assert {pace.admit for pace in paces} == {Admit.NO_BACKGROUND}


@UNTIMED
@given(st.lists(st.floats(-0.55, 0.55), min_size=60, max_size=200))
def test_sensor_steps_do_not_toggle_threads(noise: list[float]) -> None:
    """It settles; noise of one step of the sensor then moves one thread at most."""
    state, paces = drive(steady(76.0, 120))
    _, noisy = drive([Sample(celsius=76.0 + one, busy=2.0) for one in noise], state)
    changes = [a.threads != b.threads for a, b in pairwise([paces[-1], *noisy])]
    assert sum(changes) <= 1
