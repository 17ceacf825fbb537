"""What is added up between two reports."""

from __future__ import annotations

from edged.engine.frames import Effort
from edged.engine.worker.tally import WINDOW_S, Tally


def step(tally: Tally, begin: float, seconds: float, cores: int, decoded: int) -> None:
    tally.begin(begin)
    tally.computed(begin + seconds, cores, decoded)


def test_steps_and_rests() -> None:
    tally = Tally()
    step(tally, 100.0, 0.25, 4, 2)
    step(tally, 100.5, 0.25, 4, 2)
    assert not tally.due(100.75)
    step(tally, 101.0, 0.5, 2, 0)
    assert tally.due(101.5)
    assert tally.effort(101.5, 2, 4) == Effort(
        wall_ms=1500.0,
        busy_ms=1000.0,
        core_ms=3000.0,
        decode_ms=500.0,
        decodes=2,
        tokens=4,
        decoding=2,
        threads=4,
    )


def test_the_next_report_begins_where_the_last_one_ended() -> None:
    tally = Tally()
    step(tally, 100.0, 1.0, 1, 1)
    tally.effort(101.0, 1, 1)
    assert not tally.due(101.5)
    step(tally, 101.5, 0.5, 1, 1)
    report = tally.effort(102.0, 1, 1)
    assert (report.wall_ms, report.busy_ms, report.decodes) == (1000.0, 500.0, 1)


def test_a_long_step_is_reported_from_within_and_its_rests_are_none_of_it() -> None:
    tally = Tally()
    tally.begin(100.0)
    tally.computing(100.5, 4)
    tally.begin(101.0)
    tally.computing(101.25, 4)
    report = tally.effort(101.25, 0, 4)
    assert (report.wall_ms, report.busy_ms, report.core_ms) == (1250.0, 750.0, 3000.0)
    tally.computed(101.5, 4, 0)
    assert tally.effort(102.25, 0, 4).busy_ms == 250.0


def test_who_had_nothing_to_do_did_not_rest() -> None:
    tally = Tally()
    step(tally, 100.0, 0.25, 1, 1)
    step(tally, 200.0, 0.5, 1, 1)
    assert not tally.due(200.5)
    step(tally, 200.5, 0.5, 1, 1)
    report = tally.effort(200.0 + WINDOW_S, 1, 1)
    assert (report.wall_ms, report.busy_ms, report.decodes) == (1000.0, 1000.0, 2)
