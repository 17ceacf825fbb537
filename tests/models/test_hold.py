from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from edged.models.hold import HIGH_S, LOW_S, MOST_WAIT_S, Hold, step

if TYPE_CHECKING:
    from collections.abc import Callable

TPS = (8.0, 9.0, 11.0)
TICK = 10.0
DAY = 86_400.0


def run(
    seconds: float, rate: Callable[[int, float], float | None], state: Hold | None = None
) -> tuple[Hold, list[tuple[float, str]]]:
    """Sample every ten seconds; `rate` tells what a rung sustains at a time."""
    state = state or Hold()
    moves: list[tuple[float, str]] = []
    for tick in range(int(seconds / TICK)):
        now = tick * TICK
        state, move = step(state, rate(state.rung, now), TPS, 8.0, now)
        if move != "stay":
            moves.append((now, move))
    return state, moves


def throttled(share: float) -> Callable[[int, float], float]:
    return lambda rung, _: TPS[rung] * share


def test_a_cool_board_stays() -> None:
    assert run(DAY, throttled(1.0))[1] == []
    assert run(DAY, throttled(0.951))[1] == []  # within five percent


def test_a_slow_one_steps_down_after_ten_minutes_and_stays_there() -> None:
    state, moves = run(DAY, throttled(0.85))
    assert moves == [(LOW_S, "down")]
    assert state.rung == 1
    state, moves = run(DAY, throttled(0.8))
    assert moves == [(LOW_S, "down"), (2 * LOW_S, "down")]
    assert state.rung == 2


def test_one_that_cools_steps_up_again() -> None:
    state, moves = run(DAY, lambda rung, now: TPS[rung] * (0.9 if now < 3600 else 1.05))
    assert [move for _, move in moves] == ["down", "up"]
    assert moves[1][0] >= 3600 + HIGH_S - TICK
    assert state == Hold(seen_at=DAY - TICK, rose_at=moves[1][0])


def test_idle_time_proves_nothing() -> None:
    state, moves = run(DAY, lambda rung, now: None if now % 100 else TPS[rung] * 0.9)
    assert [move for _, move in moves] == ["down"]
    assert moves[0][0] >= LOW_S  # a sample stands for ten seconds, the rest was idle
    assert state.rung == 1


def test_a_long_gap_counts_as_a_minute() -> None:
    state, _ = step(Hold(), 1.0, TPS, 8.0, 0.0)
    state, move = step(state, 1.0, TPS, 8.0, DAY)
    assert (state.low_s, move) == (60.0, "stay")
    state, _ = step(state, 1.0, TPS, 8.0, 0.0)  # a clock that goes back adds nothing
    assert state.low_s == 60.0


def test_the_last_rung_is_the_last() -> None:
    state, moves = run(DAY, throttled(0.1))
    assert (state.rung, len(moves)) == (2, 2)
    state, move = step(Hold(rung=7), 1.0, (8.0,), 8.0, 0.0)
    assert (state.rung, move) == (0, "stay")


def test_what_had_to_be_taken_back_is_tried_ever_more_rarely() -> None:
    # the better variant promises enough from below, and never holds it
    state, moves = run(7 * DAY, lambda rung, _: (7.0, 9.5, 11.0)[rung])
    ups = [when for when, move in moves if move == "up"]
    gaps = [later - earlier for earlier, later in pairwise(ups)]
    assert all(later >= earlier for earlier, later in pairwise(gaps))
    assert len(ups) <= 13  # half an hour, doubled six times, is a day and a third; then daily
    assert state.wait_s == MOST_WAIT_S


def test_what_held_for_a_while_is_forgiven() -> None:
    patient = Hold(wait_s=MOST_WAIT_S, rose_at=-DAY, low_s=LOW_S, seen_at=0.0)
    state, move = step(patient, 1.0, TPS, 8.0, 10.0)
    assert (move, state.wait_s, state.rose_at) == ("down", HIGH_S, None)


rates = st.lists(st.one_of(st.none(), st.floats(0.1, 20)), min_size=1, max_size=400)


@given(rates, st.floats(1, 60))
def test_moves_are_never_close_together(samples: list[float | None], tick: float) -> None:
    state, last = Hold(), None
    for index, rate in enumerate(samples):
        now = index * tick
        state, move = step(state, rate, TPS, 8.0, now)
        assert 0 <= state.rung < len(TPS)
        assert HIGH_S <= state.wait_s <= MOST_WAIT_S
        if move != "stay":
            needed = LOW_S if move == "down" else HIGH_S
            assert last is None or now - last >= needed - tick
            last = now


@given(st.floats(0.3, 1.2), st.lists(st.floats(1, 20), min_size=2, max_size=5, unique=True))
def test_under_steady_conditions_it_comes_to_rest(share: float, tps: list[float]) -> None:
    tps.sort()
    state, moves = Hold(), []
    for tick in range(0, 40_000, 50):
        state, move = step(state, tps[state.rung] * share, tps, 8.0, float(tick))
        moves.append(move)
    assert "up" not in moves  # the same share that made it step down keeps it there
    assert moves.count("down") <= len(tps) - 1
