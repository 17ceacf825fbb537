"""The house gets its cores at once and gives them back slowly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.engine.worker.neighbours import (
    BUSY_SHARE,
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    QUIET_SHARE,
    State,
    configure,
    step,
)

WINDOW_S = 0.5
BUSY, MIDDLING, QUIET = 0.3, 0.2, 0.0
SHARES = st.floats(0, 1)
THREADS = st.integers(1, 8)


def after(state: State, shares: list[float], now: float = 0.0) -> State:
    for number, share in enumerate(shares, 1):
        state = step(state, share, now + number * WINDOW_S)
    return state


def windows(seconds: float, share: float) -> list[float]:
    return [share] * int(seconds / WINDOW_S + 1)


def test_a_busy_window_takes_one_thread_at_once_and_never_the_last() -> None:
    state = State(configured=3)
    assert [after(state, [BUSY] * count).threads for count in range(5)] == [3, 2, 1, 1, 1]


def test_a_middling_house_changes_nothing() -> None:
    state = after(State(configured=4), [BUSY])
    assert after(state, [MIDDLING] * 1000).threads == 3
    assert after(State(configured=4), [MIDDLING] * 1000).threads == 4


def test_a_thread_is_tried_after_it_was_quiet_for_long_enough() -> None:
    state = after(State(configured=2), [BUSY])
    assert after(state, windows(FIRST_WAIT_S - WINDOW_S, QUIET)).threads == 1
    assert after(state, windows(FIRST_WAIT_S, QUIET)).threads == 2


def test_anything_but_quiet_begins_the_wait_anew() -> None:
    state = after(State(configured=2), [BUSY])
    nearly = windows(FIRST_WAIT_S - WINDOW_S, QUIET)
    assert after(state, [*nearly, MIDDLING, *nearly]).threads == 1


def test_a_failed_try_doubles_the_wait_up_to_a_minute() -> None:
    state, now, waits = State(configured=2), 0.0, []
    for _ in range(6):
        state = after(state, [BUSY], now)
        now += WINDOW_S
        waits.append(state.wait_s)
        count = len(windows(state.wait_s, QUIET))
        state = after(state, [QUIET] * count, now)
        now += count * WINDOW_S
        assert state.threads == 2
    assert waits == [4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_a_try_that_lasted_forgives_the_failed_ones() -> None:
    state = State(configured=2, most=1, wait_s=LONGEST_WAIT_S)
    state = after(state, windows(LONGEST_WAIT_S, QUIET))
    assert state.threads == 2
    later = step(state, BUSY, 10 * LONGEST_WAIT_S)
    assert (later.threads, later.wait_s) == (1, FIRST_WAIT_S)


@pytest.mark.parametrize(("configured", "threads"), [(4, 3), (3, 3), (2, 2), (1, 1)])
def test_of_what_pace_and_house_allow_the_fewer_threads_win(configured: int, threads: int) -> None:
    state = after(State(configured=4), [BUSY])
    paced = configure(state, configured)
    assert paced.threads == threads
    assert configure(paced, 4).threads == 3, "the pace is free again, and the house is remembered"


@pytest.mark.parametrize("configured", [1, 2, 3])
def test_a_quiet_house_never_lifts_the_pace(configured: int) -> None:
    state = configure(after(State(configured=4), [BUSY]), configured)
    assert after(state, windows(10 * LONGEST_WAIT_S, QUIET)).threads == configured


def test_a_house_that_is_busy_at_fewer_threads_has_one_of_those() -> None:
    state = step(configure(State(configured=4), 2), BUSY, WINDOW_S)
    assert state.threads == 1
    assert configure(state, 4).threads == 1


def test_threads_that_heat_took_are_not_counted_as_spared_twice() -> None:
    state = configure(after(State(configured=4), [BUSY] * 3), 2)
    assert state.threads == 1
    state = after(state, windows(FIRST_WAIT_S, QUIET))
    assert state.threads == 2


@given(THREADS, st.lists(SHARES), st.lists(THREADS))
def test_threads_stay_between_one_and_the_configured(
    configured: int, shares: list[float], changes: list[int]
) -> None:
    state = State(configured=configured)
    for number, share in enumerate(shares):
        if number < len(changes):
            state = configure(state, changes[number])
        before = state.threads
        state = step(state, share, number * WINDOW_S)
        assert 1 <= state.threads <= state.configured
        assert abs(state.threads - before) <= 1
        if share >= BUSY_SHARE:
            assert state.threads == max(1, before - 1)
        elif share > QUIET_SHARE:
            assert state.threads == before
        else:
            assert state.threads >= before


@given(THREADS, st.lists(SHARES, min_size=1, max_size=400))
def test_tries_are_never_nearer_than_the_wait_before_them(
    configured: int, shares: list[float]
) -> None:
    state, changed_at = State(configured=configured), 0.0
    for number, share in enumerate(shares):
        now = number * WINDOW_S
        before, wait_s = state.threads, state.wait_s
        state = step(state, share, now)
        assert FIRST_WAIT_S <= state.wait_s <= LONGEST_WAIT_S
        if state.threads > before:
            assert now - changed_at >= wait_s
        if state.threads != before:
            changed_at = now


@given(st.integers(2, 8), st.integers(1, 5))
def test_a_house_that_is_busy_only_for_all_threads_is_tried_ever_less_often(
    configured: int, free: int
) -> None:
    free = min(free, configured - 1)
    state, tries = State(configured=configured), 0
    for number in range(int(3600 / WINDOW_S)):
        share = BUSY if state.threads > free else QUIET
        before = state.threads
        state = step(state, share, number * WINDOW_S)
        tries += state.threads > before
    assert tries <= 3600 / LONGEST_WAIT_S + 5


@given(THREADS, st.lists(SHARES))
def test_a_house_that_falls_quiet_gets_all_threads_back(
    configured: int, shares: list[float]
) -> None:
    state = after(State(configured=configured), shares)
    quiet = windows(configured * (LONGEST_WAIT_S + 2 * WINDOW_S), QUIET)
    assert after(state, quiet, len(shares) * WINDOW_S).threads == configured
