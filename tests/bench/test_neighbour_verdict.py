"""What decoding beside busy processes proves is computed as promised."""

from __future__ import annotations

import msgspec
import pytest

from bench.neighbour_verdict import SHIPPED, Measured, judge
from bench.report import MET, MISSED, UNJUDGED, Figure


def one(count: int, rate: float, theirs: float | None = None, *, setup: str = SHIPPED) -> Measured:
    return Measured(setup=setup, neighbours=count, rate=rate, theirs=theirs)


def figures(*measured: Measured) -> dict[str, Figure]:
    result = judge(measured, [3.0], {})
    return {figure.name: figure for figure in result.figures}


def test_what_is_kept_is_the_ratio_of_medians() -> None:
    rounds = (one(0, 20), one(0, 30), one(0, 10), one(1, 8, 0.9), one(1, 12, 0.8), one(1, 10, 0.2))
    found = figures(*rounds)
    assert found["as shipped: alone"].value == 20
    assert found["as shipped: 1 busy"].value == 10
    assert found["as shipped: 1 busy, of alone"].value == 0.5
    assert found["as shipped: 1 busy, the neighbour keeps"].value == 0.8


def test_only_what_is_shipped_is_judged_and_only_with_one_neighbour() -> None:
    rounds = [
        one(count, 4, None if count == 0 else 0.3, setup=setup)
        for setup in ("asleep", SHIPPED)
        for count in (0, 1, 2)
    ]
    found = figures(*rounds)
    assert found["as shipped: 1 busy, of alone"].verdict == MET
    assert found["as shipped: 1 busy, the neighbour keeps"].verdict == MISSED
    assert found["as shipped: 2 busy, a neighbour keeps"].verdict == UNJUDGED
    assert found["asleep: 1 busy, a neighbour keeps"].verdict == UNJUDGED


def test_a_child_that_stood_still_keeps_nothing() -> None:
    found = figures(one(0, 0), one(1, 0, 1.0))
    assert found["as shipped: 1 busy, of alone"].verdict == MISSED
    assert found["as shipped: 1 busy, of alone"].value is None


def test_a_rate_that_did_not_come_back_is_told() -> None:
    result = judge([one(0, 1)], [2.0, None, 4.0], {"rounds": 3})
    assert result.figures[-2].value == 3.0
    assert len(result.notes) == 1
    assert judge([one(0, 1)], [2.0], {}).notes == ()
    assert judge([one(0, 1)], [None], {}).figures[-2].value is None


def test_each_setup_and_count_has_its_series() -> None:
    result = judge([one(0, 1), one(0, 2), one(1, 3, 0.5)], [], {})
    assert [(s.name, s.values) for s in result.series] == [
        ("as shipped, 0 busy", (1, 2)),
        ("as shipped, 1 busy", (3,)),
    ]


def test_windows_in_which_others_computed_count_only_where_there_are_no_others() -> None:
    noisy = [msgspec.structs.replace(one(count, 1), others=0.5) for count in (0, 1)]
    result = judge([*noisy, one(0, 20)], [], {})
    found = {figure.name: figure.value for figure in result.figures}
    assert found["as shipped: alone"] == 20
    assert found["as shipped: 1 busy"] == 1
    assert found["windows in which others computed"] == pytest.approx(200 / 3)
