"""A request's sampler: a chain of C samplers, built once and asked once per token."""

from __future__ import annotations

import ctypes
import secrets
from collections import deque
from typing import TYPE_CHECKING, Any

from edged.engine.worker.argmax import Argmax
from edged.engine.worker.best import Best
from edged.engine.worker.native import llama

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.engine.frames import Generate

# llama.cpp's own default for penalty_last_n.
_PENALTY_WINDOW = 64
NO_PENALTY = 1.0
# llama.cpp reads this seed as "choose one yourself".
_RANDOM_SEED = 0xFFFFFFFF
NO_TOKEN = -1
# How many of the best are searched for; a search for more takes as long as the chain does alone.
_SHORT = (64, 128, 256)
_FAR_FEWER = 16  # times as many tokens must there be for a search to be worth its 20 us


class Sampler:
    """Owns a chain of samplers.

    Args:
        request: Its numbers are already in range.
        n_vocab: Tokens in the vocabulary.
    """

    def __init__(self, request: Generate, n_vocab: int) -> None:
        params = llama.llama_sampler_chain_default_params()
        params.no_perf = True
        self.native = llama.llama_sampler_chain_init(params)
        for sampler in _chain(request, n_vocab):
            llama.llama_sampler_chain_add(self.native, sampler)

    def choose(self, context: Any, row: int) -> int:
        """The next token, by the logits of a row of the last step; the chain remembers it."""
        return int(llama.llama_sampler_sample(self.native, context, row))

    def follow(self, most: int) -> Sequence[int]:  # noqa: ARG002 - nothing is known beforehand here
        """Tokens that come next whatever the model says, taken as written; at most so many."""
        return ()

    def close(self) -> None:
        """Free the chain and its samplers."""
        llama.llama_sampler_free(self.native)


class Greedy(Sampler):
    """The best token, for which the chain is asked only where a penalty may decide.

    A penalty of 1 or more only lowers: whoever has the best score, and is not among the last
    tokens, is whom the chain would choose.

    Args:
        request: With a temperature of 0 and a penalty of at least 1.
        n_vocab: Tokens in the vocabulary.
        argmax: Searches their scores.
    """

    def __init__(self, request: Generate, n_vocab: int, argmax: Argmax) -> None:
        super().__init__(request, n_vocab)
        self._argmax = argmax
        penalised = 0 if request.repeat_penalty == NO_PENALTY else _PENALTY_WINDOW
        self._last: deque[int] = deque(maxlen=penalised)

    def choose(self, context: Any, row: int) -> int:
        """The next token, by the logits of a row of the last step; the chain remembers it."""
        logits = llama.llama_get_logits_ith(context, row)
        token = self._argmax.at(ctypes.addressof(logits.contents))
        if token in self._last:
            token = super().choose(context, row)
        else:
            llama.llama_sampler_accept(self.native, token)
        self._last.append(token)
        return token


class Drawn(Sampler):
    """One of the best, which the chain is given alone.

    Args:
        request: Its chain begins with the best ones, as many as are searched for or fewer.
        n_vocab: Tokens in the vocabulary.
        best: Searches their scores.
    """

    def __init__(self, request: Generate, n_vocab: int, best: Best) -> None:
        super().__init__(request, n_vocab)
        self._best = best

    def choose(self, context: Any, row: int) -> int:
        """The next token, by the logits of a row of the last step; the chain remembers it."""
        logits = llama.llama_get_logits_ith(context, row)
        token = self._best.chosen(ctypes.addressof(logits.contents), self.native)
        llama.llama_sampler_accept(self.native, token)
        return token


class Searches:
    """What searches the scores of one vocabulary, for all samplers of it.

    Args:
        n_vocab: Tokens in the vocabulary.
    """

    def __init__(self, n_vocab: int) -> None:
        self._n_vocab = n_vocab
        self._best: dict[int, Best] = {}
        self.argmax = Argmax(n_vocab)

    def best(self, count: int) -> Best | None:
        """What finds so many or a few more; None where it would not be worth it."""
        size = next((size for size in _SHORT if size >= count), 0)
        if not count or not size or size * _FAR_FEWER > self._n_vocab:
            return None
        if size not in self._best:
            self._best[size] = Best(self._n_vocab, size)
        return self._best[size]


def sampler(request: Generate, n_vocab: int, searches: Searches) -> Sampler:
    """The quickest that chooses as the request wants it.

    Args:
        request: Its numbers are already in range.
        n_vocab: Tokens in the vocabulary.
        searches: Of that vocabulary.
    """
    if request.temperature == 0.0 and request.repeat_penalty >= NO_PENALTY:
        return Greedy(request, n_vocab, searches.argmax)
    best = searches.best(_deciding(request.repeat_penalty, request.top_k))
    return Sampler(request, n_vocab) if best is None else Drawn(request, n_vocab, best)


def _chain(request: Generate, n_vocab: int) -> list[Any]:
    chosen = 1 if request.temperature == 0.0 else min(request.top_k, n_vocab)
    chain = _penalties(request.repeat_penalty, chosen, n_vocab)
    if request.temperature == 0.0:
        return [*chain, llama.llama_sampler_init_greedy()]
    return [
        *chain,
        llama.llama_sampler_init_top_k(chosen),
        llama.llama_sampler_init_top_p(request.top_p, 1),
        llama.llama_sampler_init_min_p(request.min_p, 1),
        llama.llama_sampler_init_temp(request.temperature),
        llama.llama_sampler_init_dist(_seed(request.seed)),
    ]


def _penalties(penalty: float, chosen: int, n_vocab: int) -> list[Any]:
    """Lower the scores of the last tokens before `chosen` candidates are taken; 0 takes all.

    The sampler looks every candidate up among the last tokens: 0.6 ms with 152,000 of them.
    """
    if penalty == NO_PENALTY:
        return []
    penalties = llama.llama_sampler_init_penalties(n_vocab, _PENALTY_WINDOW, penalty, 0.0, 0.0)
    most = _deciding(penalty, chosen)
    return [llama.llama_sampler_init_top_k(min(most, n_vocab)), penalties] if most else [penalties]


def _deciding(penalty: float, chosen: int) -> int:
    """How many of the best scores hold all that may be among the first `chosen`; 0: any may be.

    As a penalty over 1 only lowers, who is chosen stood among those and the window before.
    """
    if penalty < NO_PENALTY or not chosen:
        return 0
    return chosen if penalty == NO_PENALTY else chosen + _PENALTY_WINDOW


def _seed(seed: int | None) -> int:
    chosen = secrets.randbits(32) if seed is None else seed
    return chosen if chosen != _RANDOM_SEED else chosen - 1
