"""Threads given to the neighbours and taken back."""

from __future__ import annotations

from typing import Any, NamedTuple

from edged.engine.worker.crew import Crew


class FakeBatch(NamedTuple):
    size: int = 1


class FakeContext:
    def __init__(self) -> None:
        self.threads: list[tuple[int, int]] = []
        self.batch = FakeBatch()
        self.seconds = 0.1

    def set_threads(self, threads: int, threads_batch: int) -> None:
        self.threads.append((threads, threads_batch))


class FakeSchedstat:
    def __init__(self, *shares: float | None) -> None:
        self.shares = list(shares)
        self.restarts = 0

    def share(self, now: float) -> float | None:
        assert now > 0.0
        return self.shares.pop(0)

    def restart(self) -> None:
        self.restarts += 1


def crew(threads: int, threads_batch: int, *shares: float | None) -> tuple[Any, Any, Any]:
    context: Any = FakeContext()
    schedstat: Any = FakeSchedstat(*shares)
    return Crew(context, threads, threads_batch, schedstat), context, schedstat


BUSY = (0.5, 0.5)  # a house is busy when two windows say so


def test_a_busy_house_gets_a_thread_at_once() -> None:
    crew_, context, schedstat = crew(3, 4, None, 0.0, *BUSY, 0.5)
    for _ in range(5):
        crew_.look()
    assert context.threads == [(3, 3), (2, 2)]
    assert schedstat.restarts == 2


def test_a_thread_is_taken_back_where_steps_are_slower_without_it() -> None:
    crew_, context, _ = crew(2, 2, *BUSY, None, None, 0.0)
    context.seconds = 0.1
    for _ in BUSY:
        crew_.look()
    context.seconds = 0.3
    for size in (7, 1, 9):  # only the second one is like those before
        context.batch = FakeBatch(size)
        crew_.look()
    assert context.threads == [(1, 1), (2, 2)]


def test_a_step_that_was_given_up_tells_nothing() -> None:
    crew_, context, _ = crew(2, 2, *BUSY, 0.0)
    for _ in BUSY:
        crew_.look()
    context.seconds = 0.0
    crew_.look()
    assert context.threads == [(1, 1)]


def test_steps_before_a_pace_are_not_compared_with_those_after_it() -> None:
    crew_, context, _ = crew(3, 3, None, *BUSY, 0.0)
    context.seconds = 9.0
    crew_.look()
    crew_.set(2, 2)
    context.seconds = 0.1
    for _ in BUSY:
        crew_.look()
    context.seconds = 0.3
    crew_.look()
    assert context.threads == [(2, 2), (1, 1), (2, 2)]


def test_a_pace_asks_for_fewer_and_the_house_is_remembered() -> None:
    crew_, context, _ = crew(4, 4, *BUSY)
    for _ in BUSY:
        crew_.look()
    crew_.set(2, 1)
    crew_.set(4, 4)
    assert context.threads == [(3, 3), (2, 1), (3, 3)]


def test_a_house_that_wants_more_than_the_pace_leaves_wins() -> None:
    crew_, context, _ = crew(4, 4, *BUSY, *BUSY)
    for _ in BUSY:
        crew_.look()
    crew_.set(3, 3)
    for _ in BUSY:
        crew_.look()
    crew_.set(4, 4)
    assert context.threads == [(3, 3), (3, 3), (2, 2), (2, 2)]


def test_who_measures_has_the_threads_asked_for() -> None:
    crew_, context, schedstat = crew(4, 3, *BUSY)
    for _ in BUSY:
        crew_.look()
    crew_.exactly(2, 0)
    crew_.set(4, 4)
    crew_.exactly(0, 1)
    crew_.resume()
    assert context.threads == [(3, 3), (2, 3), (4, 1), (3, 3)]
    assert schedstat.restarts == 2


def test_one_thread_needs_no_looking() -> None:
    crew_, context, _ = crew(1, 1)
    crew_.look()
    assert context.threads == []
