from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.worker.best import Best
from edged.engine.worker.native import llama
from tests.engine.worker.scores import scores

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def greedy() -> Iterator[Any]:
    sampler = llama.llama_sampler_init_greedy()
    yield sampler
    llama.llama_sampler_free(sampler)


def found(best: Best) -> dict[int, float]:
    """Whom the chain was given, with their scores."""
    return {each.id: each.logit for each in best._scored._data}


@pytest.mark.parametrize(("size", "count"), [(64, 1), (64, 64), (1000, 64), (32_001, 128)])
def test_the_best_are_found_with_their_scores(size: int, count: int, greedy: Any) -> None:
    best, values = Best(size, count), scores(size, size)
    for _ in range(3):
        ranked = sorted(range(size), key=values.__getitem__, reverse=True)
        assert best.chosen(ctypes.addressof(values), greedy) == ranked[0]
        assert found(best) == {place: values[place] for place in ranked[:count]}
        values[ranked[0]] = -100.0  # the next search sees what stands there by then
    best.close()


def test_of_equal_scores_each_is_another_token(greedy: Any) -> None:
    best, values = Best(200, 64), (ctypes.c_float * 200)(*[-3.0] * 200)
    assert 0 <= best.chosen(ctypes.addressof(values), greedy) < 200
    assert len(found(best)) == 64
    best.close()


def test_what_has_no_chance_may_be_among_few(greedy: Any) -> None:
    best, values = Best(200, 64), (ctypes.c_float * 200)(*[-float("inf")] * 200)
    values[7] = 1.0
    assert best.chosen(ctypes.addressof(values), greedy) == 7
    best.close()


def test_a_chain_that_dropped_some_gets_all_of_them_again() -> None:
    best, values = Best(1000, 64), scores(1000, 3)
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_top_k(2))
    llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_greedy())
    want = max(range(1000), key=values.__getitem__)
    assert [best.chosen(ctypes.addressof(values), chain) for _ in range(3)] == [want] * 3
    llama.llama_sampler_free(chain)
    best.close()
