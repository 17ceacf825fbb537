"""What the time between decodes proves is computed as promised."""

from __future__ import annotations

from bench.report import MET, MISSED, UNJUDGED, Figure
from bench.token_cost_verdict import KINDS, Cost, judge


def costs(vocabulary: str = "1k", choice: str = "sampled", **us: float) -> list[Cost]:
    return [
        Cost(
            vocabulary=vocabulary,
            choice=choice,
            streams=1,
            kind=kind,
            cpu_us=us.get(kind, 50.0),
            typical_us=us.get(kind, 50.0),
            wall_us=2 * us.get(kind, 50.0),
        )
        for kind in KINDS
    ]


def figures(*groups: list[Cost]) -> dict[str, Figure]:
    found = judge([cost for group in groups for cost in group], {}).figures
    return {figure.name: figure for figure in found}


def test_each_length_is_held_to_the_goal_of_its_vocabulary() -> None:
    found = figures(costs(short=99, long=101))
    assert found["1k sampled, 1 stream: a token of 64"].verdict == MET
    assert found["1k sampled, 1 stream: a token of 4,096"].verdict == MISSED
    large = figures(costs("152k", short=399, long=401))
    assert large["152k sampled, 1 stream: a token of 64"].verdict == MET
    assert large["152k sampled, 1 stream: a token of 4,096"].verdict == MISSED


def test_what_has_no_goal_is_told() -> None:
    found = figures(costs("152k", "greedy", short=1e6))
    assert found["152k greedy, 1 stream: a token of 64"].verdict == UNJUDGED
    assert found["152k greedy, 1 stream: same, wall time"].value == 100


def test_flat_compares_tokens_at_the_same_depth() -> None:
    name = "1k sampled, 1 stream: one of the last 512 / a token of 64 as deep"
    assert figures(costs(short=10, long=90, late=55, deep=50))[name].verdict == MET
    assert figures(costs(short=10, long=90, late=60, deep=50))[name].verdict == MISSED
    assert figures(costs(deep=0))[name].value is None


def test_rounds_give_their_median() -> None:
    found = figures(costs(short=10), costs(short=30), costs(short=20))
    assert found["1k sampled, 1 stream: a token of 64"].value == 20


def test_each_kind_has_its_series() -> None:
    result = judge([*costs(short=1), *costs(short=2)], {"rounds": 2})
    assert list(result.series[0].values) == [1, 2]
    assert len(result.series) == len(KINDS)
    assert result.conditions == {"rounds": 2}
