"""Probabilities of choices, whatever their scores."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.serving.decision import decide

SCORES = st.lists(st.floats(-1e9, 0), min_size=2, max_size=64)


def names(scores: list[float]) -> list[str]:
    return [f"c{place}" for place in range(len(scores))]


@given(SCORES)
def test_they_add_up_and_keep_the_order_of_the_scores(scores: list[float]) -> None:
    made = decide(names(scores), scores, None)
    told = list(made.probabilities.values())
    assert sum(told) == pytest.approx(1.0, abs=1e-4)
    assert all(0.0 <= probability <= 1.0 for probability in told)
    ranked = sorted(range(len(scores)), key=scores.__getitem__)
    assert [told[place] for place in ranked] == sorted(told)
    assert made.choice is not None
    assert made.probabilities[made.choice] == max(told)


@given(SCORES, st.floats(-1e6, 0))
def test_only_differences_count(scores: list[float], shift: float) -> None:
    before = decide(names(scores), scores, None).probabilities
    after = decide(names(scores), [score + shift for score in scores], None).probabilities
    assert list(after.values()) == pytest.approx(list(before.values()), abs=1e-3)


@given(SCORES, st.floats(0.001, 1.0))
def test_none_is_chosen_below_the_threshold(scores: list[float], none_of: float) -> None:
    made = decide(names(scores), scores, none_of)
    likeliest = max(made.probabilities.values())
    if abs(likeliest - none_of) > 1e-6:
        assert (made.choice is None) == (likeliest < none_of)


def test_of_equals_the_first_is_chosen() -> None:
    assert decide(["a", "b"], [-2.0, -2.0], 0.5).choice == "a"


def test_figures() -> None:
    made = decide(["a", "b"], [math.log(0.002), math.log(0.006)], None)
    assert made.probabilities == {"a": 0.25, "b": 0.75}
