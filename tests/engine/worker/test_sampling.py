"""The chain chooses what llama.cpp's plain one would, without looking at every token twice."""

from __future__ import annotations

import ctypes
import random
from array import array
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.worker import sampling
from edged.engine.worker.native import llama
from edged.engine.worker.sampling import (
    _PENALTY_WINDOW,
    Drawn,
    Greedy,
    Sampler,
    Searches,
    sampler,
)
from tests.engine.harness import prompt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

N_VOCAB = 700
STEPS = 200


def plain(**fields: Any) -> Any:
    """Penalties over the whole vocabulary first, as llama.cpp's own programs have them."""
    request = prompt(**fields)
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    penalty = request.repeat_penalty
    first = llama.llama_sampler_init_penalties(N_VOCAB, _PENALTY_WINDOW, penalty, 0.0, 0.0)
    for each in (
        first,
        *(
            [llama.llama_sampler_init_greedy()]
            if request.temperature == 0.0
            else [
                llama.llama_sampler_init_top_k(request.top_k),
                llama.llama_sampler_init_top_p(request.top_p, 1),
                llama.llama_sampler_init_min_p(request.min_p, 1),
                llama.llama_sampler_init_temp(request.temperature),
                llama.llama_sampler_init_dist(request.seed),
            ]
        ),
    ):
        llama.llama_sampler_chain_add(chain, each)
    return chain


def choose(chain: Any, logits: Sequence[float]) -> int:
    """What llama_sampler_sample does with the logits of a context."""
    data = (llama.llama_token_data * len(logits))()
    for token, logit in enumerate(logits):
        data[token].id, data[token].logit = token, logit
    candidates = llama.llama_token_data_array(data, len(logits), -1, False)  # noqa: FBT003 - in C
    llama.llama_sampler_apply(chain, ctypes.byref(candidates))
    token = int(candidates.data[candidates.selected].id)
    llama.llama_sampler_accept(chain, token)
    return token


def logits() -> Iterator[list[float]]:
    """Scores of which a few stay high, so that the same tokens come and are penalised."""
    rng = random.Random(7)  # noqa: S311 - no secret
    base = [rng.gauss(0.0, 1.5) for _ in range(N_VOCAB)]
    while True:
        yield [value + rng.gauss(0.0, 0.3) for value in base]


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.0, "repeat_penalty": 1.1},
        {"temperature": 0.0, "repeat_penalty": 3.0},
        {"temperature": 0.0, "repeat_penalty": 0.9},
        {"temperature": 0.7, "repeat_penalty": 1.1, "top_k": 40},
        {"temperature": 2.0, "repeat_penalty": 2.0, "top_k": 5, "top_p": 1.0, "min_p": 0.0},
        {"temperature": 1.0, "repeat_penalty": 0.8, "top_k": 40},
        {"temperature": 1.0, "repeat_penalty": 1.1, "top_k": 0},
        {"temperature": 1.0, "repeat_penalty": 1.0, "top_k": 40},
        {"temperature": 1.0, "repeat_penalty": 1.1, "top_k": 1_000_000},
    ],
)
def test_the_choice_is_that_of_the_plain_chain(fields: dict[str, Any]) -> None:
    ours = Sampler(prompt(**fields, seed=3), N_VOCAB)
    theirs = plain(**fields, seed=3)
    scores = logits()
    chosen = []
    for _ in range(STEPS):
        values = next(scores)
        chosen.append(choose(ours.native, values))
        assert chosen[-1] == choose(theirs, values)
    assert len(set(chosen)) > 3
    ours.close()
    llama.llama_sampler_free(theirs)


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({"temperature": 0.0, "repeat_penalty": 1.1}, "top-k"),
        ({"temperature": 0.7, "repeat_penalty": 1.1, "top_k": 40}, "top-k"),
        ({"temperature": 0.7, "repeat_penalty": 0.9, "top_k": 40}, "penalties"),
        ({"temperature": 0.7, "repeat_penalty": 1.1, "top_k": 0}, "penalties"),
        ({"temperature": 0.0, "repeat_penalty": 1.0}, "greedy"),
    ],
)
def test_penalties_look_at_few_candidates_where_that_is_the_same(
    fields: dict[str, Any], first: str
) -> None:
    sampler = Sampler(prompt(**fields), N_VOCAB)
    name = llama.llama_sampler_name(llama.llama_sampler_chain_get(sampler.native, 0))
    assert first in name.decode()
    sampler.close()


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> ctypes.Array[ctypes.c_float]:
    """Scores of the last step."""
    row = (ctypes.c_float * N_VOCAB)()
    first = ctypes.cast(row, ctypes.POINTER(ctypes.c_float))
    monkeypatch.setattr(llama, "llama_get_logits_ith", lambda _context, _row: first)
    return row


def rows(row: ctypes.Array[ctypes.c_float]) -> Iterator[list[float]]:
    """Some steps; the scores of each are put into the row."""
    for values, _ in zip(logits(), range(STEPS), strict=False):
        memoryview(row).cast("B").cast("f")[:] = memoryview(array("f", values))
        yield values


def alike(ours: Sampler, theirs: Any, row: ctypes.Array[ctypes.c_float]) -> list[int]:
    """What both choose of the scores of some steps, which is the same."""
    chosen = []
    for values in rows(row):
        chosen.append(ours.choose(None, 0))
        assert chosen[-1] == choose(theirs, values)
    return chosen


@pytest.mark.parametrize("penalty", [1.0, 1.1, 3.0])
def test_the_search_for_the_best_chooses_what_the_plain_chain_does(
    penalty: float, row: ctypes.Array[ctypes.c_float], monkeypatch: pytest.MonkeyPatch
) -> None:
    fields: dict[str, Any] = {"temperature": 0.0, "repeat_penalty": penalty}
    asked = []

    def sample(chain: Any, _context: object, _row: int) -> int:
        asked.append(chain)
        return choose(chain, list(row))

    monkeypatch.setattr(llama, "llama_sampler_sample", sample)
    ours, theirs = sampler(prompt(**fields), N_VOCAB, Searches(N_VOCAB)), plain(**fields)
    assert isinstance(ours, Greedy)
    chosen = alike(ours, theirs, row)
    assert len(set(chosen)) > 3
    assert bool(asked) == (penalty > 1.0), "the chain was asked where no penalty was, or never"
    assert len(asked) < STEPS
    ours.close()
    llama.llama_sampler_free(theirs)


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.7, "repeat_penalty": 1.0, "top_k": 40},
        {"temperature": 0.7, "repeat_penalty": 1.1, "top_k": 40, "top_p": 0.9, "min_p": 0.05},
        {"temperature": 3.0, "repeat_penalty": 3.0, "top_k": 64, "top_p": 1.0, "min_p": 0.0},
        {"temperature": 3.0, "repeat_penalty": 1.0, "top_k": 65, "top_p": 1.0, "min_p": 0.0},
        {"temperature": 3.0, "repeat_penalty": 1.0, "top_k": 1},
    ],
)
def test_of_a_few_the_chain_draws_whom_it_would_of_all(
    fields: dict[str, Any], row: ctypes.Array[ctypes.c_float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "_FAR_FEWER", 5)
    ours = sampler(prompt(**fields, seed=3), N_VOCAB, Searches(N_VOCAB))
    theirs = plain(**fields, seed=3)
    assert isinstance(ours, Drawn)
    chosen = alike(ours, theirs, row)
    assert fields["top_k"] == 1 or len(set(chosen)) > 3
    ours.close()
    llama.llama_sampler_free(theirs)


def test_samplers_of_one_vocabulary_share_their_searches() -> None:
    searches = Searches(152_000)
    assert searches.best(40) is searches.best(64)
    assert searches.best(65) is not searches.best(64)
    assert searches.best(256) is not None
    assert [searches.best(count) for count in (0, 257, 1_000_064)] == [None] * 3
    assert Searches(1000).best(40) is None, "a chain is through with 1,000 tokens at once"


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.0, "repeat_penalty": 0.9},
        {"temperature": 0.7, "repeat_penalty": 0.9},
        {"temperature": 0.7, "top_k": 0},
        {"temperature": 0.7, "top_k": 200, "repeat_penalty": 1.1},
    ],
)
def test_where_more_than_the_best_may_count_the_chain_is_always_asked(
    fields: dict[str, Any],
) -> None:
    ours = sampler(prompt(**fields), 152_000, Searches(152_000))
    assert type(ours) is Sampler
    ours.close()
