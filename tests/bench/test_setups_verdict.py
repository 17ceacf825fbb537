"""The defaults against each other way, on made-up rounds."""

from __future__ import annotations

import pytest

from bench.setups_verdict import SHIPPED, Measured, judge


def one(setup: str, decode: float, read: float = 100.0) -> Measured:
    return Measured(
        setup=setup, read=read, decode=decode, deep=decode, cache_mib=1, own_mib=2, load_s=0.5
    )


def test_the_shipped_setup_is_compared_round_by_round() -> None:
    """The second round was slow for all, and says the same."""
    rounds = [one(SHIPPED, 10), one("other", 8), one(SHIPPED, 5), one("other", 4)]
    result = judge(rounds, {"threads": 2})
    values = {figure.name: figure.value for figure in result.figures}
    assert values["shipped decode / best decode"] == 1.0
    assert values[f"{SHIPPED}: decode, empty context"] == 7.5
    assert values["other: own memory"] == 2
    assert result.ok
    assert result.conditions == {"threads": 2}
    assert [series.values for series in result.series] == [(10, 5), (8, 4)]


@pytest.mark.parametrize(
    ("decode", "read", "ok"), [(9.4, 80, False), (9.6, 79, False), (9.6, 81, True)]
)
def test_a_default_that_is_clearly_slower_is_a_miss(decode: float, read: float, ok: bool) -> None:
    rounds = [one(SHIPPED, decode, read), one("other", 10)]
    assert judge(rounds, {}).ok is ok
