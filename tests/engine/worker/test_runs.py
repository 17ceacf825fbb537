"""Who computes, who waits and who shares, without a model."""

from __future__ import annotations

from math import inf
from typing import Any

from edged.engine.worker.reading import MIN_FOLLOW, NOWHERE, Reading, leader_of
from edged.engine.worker.runs import Arrival, Runs
from tests.engine.harness import prompt


def run(key: str, words: list[int] | None = None, priority: int = 1, **stops: Any) -> Any:
    reading: Any = Reading(key, words or [1, 2, 3], priority, **stops)
    reading.finish = None
    return reading


def runs(*many: Any, streams: int = 2, partial: bool = True) -> Runs:
    table = Runs(streams, streams + 1)
    for one in many:
        table.add(one, 0, partial=partial)
    return table


def test_the_urgent_go_first_and_then_the_oldest() -> None:
    table = runs(run("a"), run("low", priority=2), run("b"), run("now", priority=0), streams=3)
    assert [one.key for one in table] == ["now", "a", "b", "low"]
    assert [one.key for one in table.active] == ["now", "a", "b"]
    table.remove(next(iter(table)))
    assert [one.key for one in table.active] == ["a", "b", "low"]


def hurried(key: str, ends_at: float, priority: int = 1) -> Any:
    reading = run(key, priority=priority)
    reading.ends_at = ends_at
    return reading


def test_of_equal_priority_who_must_end_sooner_goes_first() -> None:
    table = runs(run("a"), hurried("late", 90.0), run("now", priority=0), hurried("soon", 50.0))
    assert [one.key for one in table] == ["now", "soon", "late", "a"]
    assert table.next_end == 50.0
    assert runs(run("a")).next_end == inf


def test_places() -> None:
    table = runs(run("a"), run("b"))
    before = table.full
    table.arrived.append(Arrival(prompt(key="c"), 0.0))
    assert (before, table.full) == (False, True)
    assert [table.knows(key) for key in "abcd"] == [True, True, True, False]
    assert not table.idle
    assert runs().idle


def test_a_newcomer_computes_at_once_while_there_are_streams() -> None:
    assert [runs(*map(run, keys)).free for keys in ("", "a", "ab")] == [True, True, False]


def test_a_cancel_finds_runs_and_newcomers_and_nobody_else() -> None:
    first = run("a")
    table = runs(first)
    table.arrived.append(Arrival(prompt(key="b"), 0.0))
    for key in ("a", "b", "none"):
        table.cancel(key)
    second, third = run("b"), run("none")
    for one in (second, third):
        table.add(one, 0, partial=True)
    assert [one.cancelled for one in (first, second, third)] == [True, True, False]


def test_a_cancel_of_one_that_was_turned_away_is_not_for_the_next_of_its_key() -> None:
    table = runs()
    table.arrived.append(Arrival(prompt(key="a"), 0.0))
    table.cancel("a")
    table.turn_away("a")
    another = run("a")
    table.add(another, 0, partial=True)
    assert not another.cancelled


def test_what_interrupts_a_step() -> None:
    reading = run("a")
    table = runs(reading)
    assert not table.interrupts([reading], 0.0)
    table.arrived.append(Arrival(prompt(key="b", priority=1), 0.0))
    assert not table.interrupts([reading], 0.0), "of equal rank: it waits for the step's end"
    table.arrived.append(Arrival(prompt(key="c", priority=0), 0.0))
    assert table.interrupts([reading], 0.0)
    assert not table.interrupts([], 0.0), "a step that decodes is short"
    table.arrived.clear()
    table.arrived.append(Arrival(prompt(key="d", within_s=5.0), 0.0))
    assert table.interrupts([reading], 0.0), "it must end sooner"
    reading.ends_at = 4.0
    assert not table.interrupts([reading], 3.9)
    assert table.interrupts([reading], 4.0), "it must end now"
    table.arrived.clear()
    reading.ends_at = inf
    reading.cancelled = True
    assert table.interrupts([reading], 0.0)


def test_a_newcomer_follows_who_reads_the_same() -> None:
    words = list(range(100))
    first, second = run("a", [*words, 200]), run("b", [*words, 300])
    table = runs(first, second)
    assert second.waits(table.active)
    first.position = 99
    assert second.waits(table.active)
    first.position = 100
    assert not second.waits(table.active)


def test_nobody_waits_for_who_does_not_compute() -> None:
    words = list(range(100))
    first, now = run("a", [*words, 200]), run("now", [*words, 300], priority=0)
    table = runs(first, now, streams=1)
    assert [one.key for one in table.active] == ["now"]
    assert not now.waits(table.active)


def test_who_leads() -> None:
    words = list(range(200))
    near, far = run("near", [*words[:60], 7]), run("far", [*words[:150], 7])
    mine = [*words[:150], 8]
    assert leader_of(mine, [near, far], 0, partial=True) == (far, 150)
    assert leader_of(mine, [far, near], 0, partial=True) == (far, 150)
    assert leader_of(mine, [far], 150 - MIN_FOLLOW + 1, partial=True) is None
    far.position = 150
    assert leader_of(mine, [far], 0, partial=True) is None
    assert leader_of(mine, [], 0, partial=True) is None


def test_recurrent_state_is_shared_at_stops_only() -> None:
    words = list(range(200))
    other = run("a", [*words[:150], 7], stops=[40, 120])
    mine = [*words[:150], 8]
    assert leader_of(mine, [other], 0, partial=False) == (other, 120)
    assert leader_of(mine[:100], [other], 0, partial=False) == (other, 40)
    assert leader_of(mine[:30], [other], 0, partial=False) is None
    assert (other.left, other.at_stop) == (40, False)
    other.position = 40
    assert (other.left, other.at_stop) == (80, True)
    other.position = 120
    assert other.left == 31


def test_a_reading_has_no_sequence_at_first() -> None:
    reading = run("a")
    assert (reading.sequence, reading.begun, reading.reading) == (NOWHERE, False, True)
