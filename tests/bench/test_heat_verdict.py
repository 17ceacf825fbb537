"""What the live proof must have shown, and what is not enough."""

from __future__ import annotations

from typing import Any

import pytest

from bench.heat_verdict import EARLY, LIMIT_C, Row, judge


def rows(*, tps: float = 50.0, late: float = 100.0, word: str = "none") -> list[Row]:
    free = [Row(at=float(at), throttle="none", tps=100.0) for at in range(EARLY)]
    paced = [Row(at=10.0 + at, throttle="paced", tps=tps) for at in range(5)]
    end = [Row(at=20.0 + at, throttle=word, tps=late) for at in range(EARLY)]
    return [*free, Row(at=9.0, throttle="none"), *paced, *end]


def missed(*, hottest: float = 77.0, answers: tuple[str, ...] = ("ok",), **how: Any) -> list[str]:
    return [check.name for check in judge(rows(**how), hottest, answers) if not check.ok]


def test_heated_paced_and_recovered_is_all() -> None:
    assert missed() == []


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ({"hottest": 69.9}, "it heated up"),
        ({"hottest": LIMIT_C + 0.1}, "it stayed under the firmware's limit"),
        ({"tps": 90.0}, "the pace slowed it"),
        ({"late": 60.0}, "it recovered"),
        ({"word": "paced"}, "it recovered"),
        ({"answers": ("ok", "rejected")}, "every prompt was answered"),
        ({"answers": ()}, "every prompt was answered"),
    ],
)
def test_each_check_can_be_missed(how: dict[str, Any], name: str) -> None:
    assert missed(**how) == [name]


def test_nothing_seen_is_nothing_shown() -> None:
    checks = judge([], 20.0, ())
    assert [check.name for check in checks if check.ok] == ["it stayed under the firmware's limit"]


def test_without_a_pace_there_is_nothing_that_slowed_it() -> None:
    free = [Row(at=float(at), tps=100.0) for at in range(10)]
    names = [check.name for check in judge(free, 75.0, ("ok",)) if not check.ok]
    assert names == ["it was paced", "the pace slowed it"]
