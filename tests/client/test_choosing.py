from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.client import choosing


def told(name: str, *speeds: tuple[str, float], family: str = "ours", here: bool = True) -> Any:
    listed = [{"tps": tps, "source": source, "said": "here"} for source, tps in speeds]
    return {
        "id": name,
        "family": family,
        "on_disk": here,
        "reason": f"{name} is so",
        "speeds": listed,
    }


def selection(*candidates: Any, chosen: str | None = "a", **changes: Any) -> dict[str, Any]:
    return {
        "chosen": chosen,
        "serves": chosen,
        "target_tps": 8.0,
        "candidates": list(candidates),
        **changes,
    }


MEASURED = told("a", ("measured", 100.0), ("published", 8.0))


def test_a_choice_is_settled_when_its_file_serves_and_was_measured() -> None:
    assert choosing.settled(selection(MEASURED), 8.0, "ours")


@pytest.mark.parametrize(
    "other",
    [
        selection(MEASURED, target_tps=9.0),
        selection(MEASURED, serves="b"),
        selection(MEASURED, chosen=None),
        selection(told("a", ("derived", 100.0))),
        selection(told("a", ("measured", 100.0), family="theirs")),
        selection(),
        {},
    ],
)
def test_until_then_it_is_not(other: dict[str, Any]) -> None:
    assert not choosing.settled(other, 8.0, "ours")


def test_a_speed_is_the_first_or_the_one_of_a_source() -> None:
    assert choosing.speed(MEASURED) == 100.0
    assert choosing.speed(MEASURED, "published") == 8.0
    assert choosing.speed(MEASURED, "derived") is None
    assert choosing.speed({}) is None
    assert choosing.speed({"speeds": ["fast", {"tps": "fast", "source": "measured"}]}) is None


def test_the_next_target_is_just_beyond_what_serves() -> None:
    faster = told("b", ("derived", 200.0))
    assert choosing.next_target(selection(MEASURED, faster)) == 110.0


@pytest.mark.parametrize(
    "other",
    [
        told("b", ("derived", 109.0)),
        told("b"),
        told("b", ("derived", 200.0), here=False),
        told("b", ("derived", 200.0), family="theirs"),
    ],
)
def test_where_no_file_here_is_faster_there_is_none(other: Any) -> None:
    assert choosing.next_target(selection(MEASURED, other)) is None


def test_without_a_measurement_there_is_none() -> None:
    assert choosing.next_target(selection(told("a", ("derived", 100.0)))) is None
    assert choosing.next_target({}) is None


def test_what_is_no_candidate_is_passed_over() -> None:
    assert choosing.next_target(selection(MEASURED, 7, None, "b")) is None
    assert choosing.next_target(selection(chosen="a", candidates={"id": "a"})) is None


def test_a_reason_is_the_daemons() -> None:
    assert choosing.reason(selection(MEASURED), "a") == "a: a is so"
    assert choosing.reason(selection(MEASURED), "b") == "b: nothing is said of it"
    assert choosing.candidate({"candidates": "none"}, "a") == {}


@given(st.floats(0.1, 5000))
def test_a_target_is_always_beyond_and_above_nothing(tps: float) -> None:
    slow, fast = told("a", ("measured", tps)), told("b", ("derived", 1e6))
    target = choosing.next_target(selection(slow, fast))
    assert target is not None
    assert target >= 1
    assert target >= tps * 1.09
