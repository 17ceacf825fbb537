from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.pocket.corpus import Turn
from bench.pocket.heldout import CONTEXT, encode, samples
from bench.pocket.scoring import Comparison, judge, normalised, summed

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

LOGITS = arrays(np.float64, (3, 5), elements=st.floats(-30, 30))
TARGETS = np.array([0, 4, 2])


@given(LOGITS)
def test_probabilities_of_a_row_add_up_to_one(logits: Floats) -> None:
    rows = np.exp(normalised(logits)).sum(axis=1)
    assert np.allclose(rows, 1)


@given(LOGITS, LOGITS)
def test_divergence_is_never_negative_and_none_from_itself(first: Floats, second: Floats) -> None:
    one, other = normalised(first), normalised(second)
    assert (judge(one, other, TARGETS).divergence > -1e-9).all()
    own = judge(one, one, TARGETS)
    assert (own.divergence == 0).all()
    assert own.same.all()
    assert (own.loss == own.reference).all()


def test_a_known_case_comes_out_as_reckoned_by_hand() -> None:
    reference = np.log(np.array([[0.5, 0.5], [0.25, 0.75]]))
    file = np.log(np.array([[0.25, 0.75], [0.25, 0.75]]))
    found = judge(file, reference, np.array([0, 1]))
    by_hand = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert found.divergence == pytest.approx([by_hand, 0])
    assert found.loss == pytest.approx([math.log(4), -math.log(0.75)])
    assert list(found.same) == [False, True]  # of two that are as probable the first is meant
    total = summed([found, found])
    assert total.tokens == 4
    assert total.percent == pytest.approx(100 * math.exp(-by_hand / 2))
    assert total.perplexity == pytest.approx(math.sqrt(4 / 0.75))
    assert total.reference == pytest.approx(math.sqrt(2 / 0.75))
    assert total.agreement == 0.5


def test_half_of_every_probability_is_half_of_the_quality() -> None:
    half = Comparison(2, 2.0, 1.0, math.log(2), 0.01, 0.5)
    assert half.percent == pytest.approx(50)
    assert half.percent_error == pytest.approx(0.5)


def words(text: str) -> list[int]:
    return [len(word) for word in text.split()]


def test_only_what_an_assistant_says_is_counted() -> None:
    taken = list(samples(words, 20))
    assert len(taken) == 20
    for ids, answers in taken:
        assert len(ids) == len(answers) <= CONTEXT
        assert any(answers)
        assert not answers[0]
        assert not answers[-1]


def test_no_dialogue_is_longer_than_the_context() -> None:
    first = next(samples(words, 1))
    again = next(samples(lambda text: words(text) * 2000, 1))
    assert len(again.ids) == len(again.answers) == CONTEXT
    assert first == next(samples(words, 1))


def test_a_dialogue_is_cut_as_in_training() -> None:
    asked: list[str] = []

    def tokenize(text: str) -> list[int]:
        asked.append(text)
        return [1]

    found = encode(tokenize, (Turn("user", "Hello?"), Turn("assistant", "Yes.")))
    assert asked[:3] == ["<|im_start|>user\n", "Hello?<|im_end|>", "\n"]
    assert asked[-1] == "<|endoftext|>"
    assert found.answers == [False, False, False, False, True, False, False]
