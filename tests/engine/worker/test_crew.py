"""Threads given to the neighbours and taken back."""

from __future__ import annotations

from typing import Any

from edged.engine.worker.crew import Crew


class FakeContext:
    def __init__(self) -> None:
        self.threads: list[tuple[int, int]] = []

    def set_threads(self, threads: int, threads_batch: int) -> None:
        self.threads.append((threads, threads_batch))


class FakeSchedstat:
    def __init__(self, *shares: float | None) -> None:
        self.shares = list(shares)
        self.restarts = 0

    def share(self) -> float | None:
        return self.shares.pop(0)

    def restart(self) -> None:
        self.restarts += 1


def crew(threads: int, threads_batch: int, *shares: float | None) -> tuple[Any, Any, Any]:
    context: Any = FakeContext()
    schedstat: Any = FakeSchedstat(*shares)
    return Crew(context, threads, threads_batch, schedstat), context, schedstat


def test_a_busy_house_gets_a_thread_at_once() -> None:
    crew_, context, schedstat = crew(3, 4, None, 0.0, 0.5, 0.5)
    for _ in range(4):
        crew_.look()
    assert context.threads == [(3, 3), (2, 2)]
    assert schedstat.restarts == 2


def test_a_pace_asks_for_fewer_and_the_house_is_remembered() -> None:
    crew_, context, _ = crew(4, 4, 0.5)
    crew_.look()
    crew_.set(2, 1)
    crew_.set(4, 4)
    assert context.threads == [(3, 3), (2, 1), (3, 3)]


def test_a_house_that_wants_more_than_the_pace_leaves_wins() -> None:
    crew_, context, _ = crew(4, 4, 0.5, 0.5)
    crew_.set(3, 3)
    crew_.look()
    crew_.look()
    crew_.set(4, 4)
    assert context.threads == [(3, 3), (2, 2), (1, 1), (1, 1)]


def test_who_measures_has_the_threads_asked_for() -> None:
    crew_, context, schedstat = crew(4, 3, 0.5)
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
