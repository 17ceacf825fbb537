"""The house gets its cores at once where that costs nothing, and gives them back slowly."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.engine.worker.neighbours import (
    BUSY_PART,
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    QUIET_SHARE,
    Speeds,
    State,
    Window,
    configure,
    faster,
    step,
)

WINDOW_S = 0.5
BUSY, MIDDLING, QUIET = 0.45, 0.15, 0.0
SHARES = st.floats(0, 1)
THREADS = st.integers(1, 8)
SAME: Speeds = {1: (10, 0.5)}
SLOWER: Speeds = {1: (9, 0.5)}
OTHER: Speeds = {4: (9, 0.5)}


class House(NamedTuple):
    """So many cores, and processes that want one for a part of the time each."""

    cores: int
    others: int
    part: float = 1.0

    def window(self, threads: int) -> Window:
        """Threads in step are all as slow as the one that shares its core."""
        crowded = threads + self.others > self.cores
        share = self.part / 2 if crowded else 0.0
        return Window(delay_share=share, speeds={1: (1, 1.0 / (threads * (1.0 - share)))})

    def settle(self, state: State, count: int, now: float = 0.0) -> State:
        for number in range(1, count + 1):
            state = step(state, self.window(state.threads), now + number * WINDOW_S)
        return state


def after(state: State, shares: list[float], now: float = 0.0, speeds: Speeds = SAME) -> State:
    for number, share in enumerate(shares, 1):
        window = Window(delay_share=share, speeds=speeds)
        state = step(state, window, now + number * WINDOW_S)
    return state


def lowered(configured: int, fewer: int = 1) -> State:
    """So many fewer, which was no loss."""
    shares = [BUSY] * (1 + fewer)
    return after(State(configured=configured), [*shares, MIDDLING], -10.0)


def windows(seconds: float, share: float) -> list[float]:
    return [share] * int(seconds / WINDOW_S + 1)


def test_the_second_busy_window_takes_a_thread_and_each_further_one_but_never_the_last() -> None:
    state = State(configured=3)
    assert [after(state, [BUSY] * count).threads for count in range(6)] == [3, 3, 2, 1, 1, 1]


def test_a_busy_window_among_others_takes_none() -> None:
    state = State(configured=2)
    for _ in range(20):
        state = after(state, [BUSY, MIDDLING, BUSY, QUIET])
        assert state.threads == 2


@pytest.mark.parametrize(("threads", "least"), [(2, 0.4), (4, 0.2), (8, 0.1)])
def test_the_more_threads_the_sooner_one_fewer_may_pay(threads: int, least: float) -> None:
    assert after(State(configured=threads), [least - 0.01] * 9).threads == threads
    assert after(State(configured=threads), [least] * 2).threads == threads - 1


def test_a_middling_house_changes_nothing() -> None:
    assert after(lowered(4), [MIDDLING] * 1000).threads == 3
    assert after(State(configured=4), [MIDDLING] * 1000).threads == 4


def test_what_was_slower_is_taken_back_and_tried_ever_less_often() -> None:
    state, tries = State(configured=2), []
    for number in range(int(3600 / WINDOW_S)):
        now, before = number * WINDOW_S, state.threads
        speeds, share = (SLOWER, QUIET) if before == 1 else (SAME, BUSY)
        state = step(state, Window(delay_share=share, speeds=speeds), now)
        if state.threads < before:
            tries.append(now)
        assert before == 2 or state.threads == 2, "a window is enough to tell"
    waits = [later - sooner for sooner, later in pairwise(tries)]
    assert waits[:3] == [FIRST_WAIT_S + WINDOW_S, 2 * FIRST_WAIT_S + WINDOW_S, 16.5]
    assert set(waits[5:]) == {LONGEST_WAIT_S + WINDOW_S}


def test_several_threads_given_up_are_judged_together_once_it_is_not_busy() -> None:
    state = after(State(configured=4), [BUSY, BUSY, BUSY])
    assert state.threads == 2
    assert after(state, [MIDDLING], speeds=SLOWER).threads == 4
    assert after(state, [MIDDLING], speeds=SAME).threads == 2


def test_steps_of_another_size_tell_nothing() -> None:
    state = after(State(configured=2), [BUSY, BUSY])
    state = after(state, [MIDDLING] * 3, speeds=OTHER)
    assert (state.threads, state.descent is None) == (1, False)
    assert after(state, [MIDDLING], speeds=SLOWER).threads == 2


def test_fewer_that_were_no_loss_are_tried_at_once_the_next_time() -> None:
    state = after(State(configured=2), [BUSY, BUSY, *[MIDDLING]], speeds=SAME)
    assert (state.threads, state.descent) == (1, None)
    waited = State(configured=2, keep_s=LONGEST_WAIT_S)
    assert after(waited, [BUSY, BUSY, MIDDLING]).keep_s == FIRST_WAIT_S


@pytest.mark.parametrize(
    ("before", "now", "times"),
    [
        ({1: (10, 1.0)}, {1: (20, 1.0)}, 2.0),
        ({1: (10, 1.0), 4: (1, 1.0)}, {4: (2, 4.0), 9: (1, 1.0)}, 0.5),
        ({1: (4, 1.0), 2: (2, 1.0)}, {1: (8, 1.0), 2: (2, 2.0)}, 1.0),
        ({1: (4, 1.0)}, {2: (4, 1.0)}, None),
        ({}, {}, None),
        ({1: (4, 1.0)}, {1: (4, 0.0)}, None),
    ],
)
def test_like_steps_are_compared(before: Speeds, now: Speeds, times: float | None) -> None:
    assert faster(before, now) == times


@pytest.mark.parametrize(
    ("house", "threads"),
    [
        (House(cores=2, others=1), 1),
        (House(cores=2, others=1, part=0.9), 2),
        (House(cores=2, others=1, part=0.7), 2),
        (House(cores=4, others=1), 3),
        (House(cores=4, others=2), 2),
        (House(cores=4, others=3), 4),
        (House(cores=4, others=1, part=0.3), 4),
        (House(cores=4, others=0), 4),
    ],
)
def test_the_faster_way_wins_and_among_equals_the_one_that_spares_cores(
    house: House, threads: int
) -> None:
    state, times, now = State(configured=house.cores), 0, 0.0
    for _ in range(1000):
        state = house.settle(state, 1, now)
        now += WINDOW_S
        times += state.threads == threads
    assert times >= 950


def test_a_neighbour_that_goes_is_noticed() -> None:
    state = House(cores=2, others=1).settle(State(configured=2), 10)
    assert House(cores=2, others=0).settle(state, 10, 5.0).threads == 2


def test_a_thread_is_tried_after_it_was_quiet_for_long_enough() -> None:
    state = lowered(2)
    assert after(state, windows(FIRST_WAIT_S - WINDOW_S, QUIET)).threads == 1
    assert after(state, windows(FIRST_WAIT_S, QUIET)).threads == 2


def test_anything_but_quiet_begins_the_wait_anew() -> None:
    nearly = windows(FIRST_WAIT_S - WINDOW_S, QUIET)
    assert after(lowered(2), [*nearly, MIDDLING, *nearly]).threads == 1


def test_a_failed_try_ends_with_one_window_and_doubles_the_wait_up_to_a_minute() -> None:
    state, now, waits = lowered(2), 0.0, []
    for _ in range(6):
        count = len(windows(state.wait_s, QUIET))
        state = after(state, [QUIET] * count, now)
        now += count * WINDOW_S
        assert state.threads == 2
        state = after(state, [BUSY], now)
        now += WINDOW_S
        assert state.threads == 1
        waits.append(state.wait_s)
    assert waits == [8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_a_try_that_lasted_forgives_the_failed_ones() -> None:
    state = State(configured=2, most=1, wait_s=LONGEST_WAIT_S)
    state = after(state, windows(LONGEST_WAIT_S, QUIET))
    assert state.threads == 2
    later = after(state, [BUSY, BUSY], 10 * LONGEST_WAIT_S)
    assert (later.threads, later.wait_s) == (1, FIRST_WAIT_S)


@pytest.mark.parametrize(("configured", "threads"), [(4, 3), (3, 3), (2, 2), (1, 1)])
def test_of_what_pace_and_house_allow_the_fewer_threads_win(configured: int, threads: int) -> None:
    paced = configure(lowered(4), configured)
    assert paced.threads == threads
    assert configure(paced, 4).threads == 3, "the pace is free again, and the house is remembered"


@pytest.mark.parametrize("configured", [1, 2, 3])
def test_a_quiet_house_never_lifts_the_pace(configured: int) -> None:
    state = configure(lowered(4), configured)
    assert after(state, windows(10 * LONGEST_WAIT_S, QUIET)).threads == configured


def test_a_pace_ends_what_is_to_be_judged() -> None:
    state = configure(after(State(configured=4), [BUSY, BUSY]), 2)
    assert after(state, [MIDDLING], speeds=SLOWER).threads == 2
    assert configure(state, 4).threads == 3


def test_a_house_that_is_busy_at_fewer_threads_has_one_of_those() -> None:
    state = after(configure(State(configured=4), 2), [BUSY, BUSY])
    assert state.threads == 1
    assert configure(state, 4).threads == 1


def test_threads_that_heat_took_are_not_counted_as_spared_twice() -> None:
    state = configure(lowered(4, fewer=3), 2)
    assert state.threads == 1
    state = after(state, windows(FIRST_WAIT_S, QUIET))
    assert state.threads == 2


@given(THREADS, st.lists(st.tuples(SHARES, st.floats(0.001, 10))), st.lists(THREADS))
def test_threads_stay_between_one_and_the_configured(
    configured: int, seen: list[tuple[float, float]], changes: list[int]
) -> None:
    state = State(configured=configured)
    for number, (share, seconds) in enumerate(seen):
        if number < len(changes):
            state = configure(state, changes[number])
        before = state
        window = Window(delay_share=share, speeds={1: (1, seconds)})
        state = step(state, window, number * WINDOW_S)
        assert 1 <= state.threads <= state.configured
        busy = share >= BUSY_PART / before.threads
        if state.threads > before.threads:
            assert not busy or before.threads == 1
            assert before.descent or share <= QUIET_SHARE
        if state.threads < before.threads:
            assert busy
            assert state.threads == before.threads - 1


@given(THREADS, st.lists(SHARES, min_size=1, max_size=400))
def test_tries_are_never_nearer_than_the_wait_before_them(
    configured: int, shares: list[float]
) -> None:
    state, changed_at = State(configured=configured), 0.0
    for number, share in enumerate(shares):
        now = number * WINDOW_S
        before, wait_s = state.threads, state.wait_s
        state = step(state, Window(delay_share=share, speeds=SAME), now)
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
        state = after(state, [share], number * WINDOW_S)
        tries += state.threads > before
    assert tries <= 3600 / LONGEST_WAIT_S + 5


@given(THREADS, st.lists(SHARES))
def test_a_house_that_falls_quiet_gets_all_threads_back(
    configured: int, shares: list[float]
) -> None:
    state = after(State(configured=configured), shares)
    quiet = windows(configured * (LONGEST_WAIT_S + 2 * WINDOW_S), QUIET)
    assert after(state, quiet, len(shares) * WINDOW_S).threads == configured
