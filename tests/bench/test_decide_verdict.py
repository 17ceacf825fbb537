"""What the times of decisions prove is computed as promised."""

from __future__ import annotations

from typing import Any

from bench.decide_verdict import Case, judge
from bench.report import MET, MISSED, Figure


def case(**fields: Any) -> Case:
    base = {
        "model": "m",
        "prompt_tokens": 100,
        "bare_ms": 100.0,
        "cold_ms": 110.0,
        "warm_ms": 10.0,
        "written_ms": 40.0,
        "agrees": True,
    }
    return Case(**{**base, **fields})


def figures(*cases: Case) -> dict[str, Figure]:
    return {figure.name: figure for figure in judge(cases, {}).figures}


def test_deciding_is_held_to_reading() -> None:
    name = "m: reading and deciding / reading"
    assert figures(case())[name].verdict == MET
    found = figures(case(), case(cold_ms=116.0), case(cold_ms=120.0))[name]
    assert (found.value, found.verdict) == (1.16, MISSED)


def test_deciding_is_held_to_writing() -> None:
    name = "m: writing under a schema / deciding"
    assert (figures(case())[name].value, figures(case())[name].verdict) == (4.0, MET)
    assert figures(case(written_ms=29.0))[name].verdict == MISSED


def test_agreement_is_told_for_each_model() -> None:
    found = figures(case(), case(agrees=False), case(model="n"))
    assert found["m: agreement with greedy generation"].value == 50.0
    assert found["n: agreement with greedy generation"].value == 100.0
    assert found["m: tokens of the prompt"].value == 100.0


def test_a_plot_for_each_model() -> None:
    result = judge([case(), case(model="n")], {"rounds": 1})
    assert [series.name.partition(":")[0] for series in result.series] == ["m", "n"]
    assert result.series[0].values == (1.1,)
