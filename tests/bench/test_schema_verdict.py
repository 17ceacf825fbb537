"""What rates with and without a schema prove is computed as promised."""

from __future__ import annotations

from bench.report import MET, MISSED, UNJUDGED
from bench.schema_verdict import Pair, judge


def pair(bound: float, model: str = "m") -> Pair:
    return Pair(model=model, free_tps=100.0, bound_tps=bound)


def test_the_middle_ratio_is_judged() -> None:
    found = {f.name: f for f in judge([pair(95), pair(91), pair(50)], {}).figures}
    assert found["m: with / without"].value == 0.91
    assert found["m: with / without"].verdict == MET
    assert found["m: with one"].verdict == UNJUDGED


def test_each_model_is_judged_by_itself() -> None:
    result = judge([pair(95), pair(89, "n")], {"rounds": 1})
    verdicts = {f.name: f.verdict for f in result.figures if f.goal}
    assert verdicts == {"m: with / without": MET, "n: with / without": MISSED}
    assert [series.values for series in result.series] == [(0.95,), (0.89,)]
    assert not result.ok
