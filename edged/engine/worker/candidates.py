"""All tokens of a vocabulary with the scores of one step, for samplers that are asked in turn."""

from __future__ import annotations

import ctypes
from array import array
from itertools import repeat
from math import log
from typing import TYPE_CHECKING, Any

from edged.engine.worker.native import llama
from edged.engine.worker.scored import Scored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Candidates(Scored):
    """All tokens or some of them.

    All are put by three copies in C: a loop in Python takes 50 ms for 152,000 tokens.

    Args:
        n_vocab: Tokens in the vocabulary.
    """

    def __init__(self, n_vocab: int) -> None:
        super().__init__(n_vocab)
        self._n_vocab = n_vocab
        self._ids[:] = memoryview(array("i", range(n_vocab)))
        # Samplers sort what they are given, so the tokens are written again as well.
        self._tokens = bytes(self._data)
        self._greedy = llama.llama_sampler_init_greedy()
        self._softmax = llama.llama_sampler_init_dist(0)
        self._one = llama.llama_token_data_array()
        self._one_data = (llama.llama_token_data * 1)()
        self._one.data = self._one_data

    def fill(self, context: Any, row: int) -> None:
        """Take all tokens with the scores of a row of the last step."""
        ctypes.memmove(self._data, self._tokens, len(self._tokens))
        self._scores[:] = self._logits(context, row)
        self._begin(self._n_vocab)

    def pick(self, context: Any, row: int, tokens: Sequence[int]) -> None:
        """Take some tokens with their scores of a row of the last step."""
        self._put(tokens, map(self._logits(context, row).__getitem__, tokens))

    def which(self, grammar: Any, tokens: Sequence[int]) -> list[bool]:
        """Of each of some tokens, whether a grammar takes it next."""
        self._put(tokens, repeat(0.0, len(tokens)))
        self.apply(grammar)
        return [score == 0.0 for score in self._scores[: len(tokens)].tolist()]

    def _put(self, tokens: Sequence[int], scores: Iterable[float]) -> None:
        self.put(memoryview(array("i", tokens)), memoryview(array("f", scores)))

    def _logits(self, context: Any, row: int) -> memoryview[float]:
        logits = llama.llama_get_logits_ith(context, row)
        row_type = ctypes.c_float * self._n_vocab
        scores = row_type.from_address(ctypes.addressof(logits.contents))
        return memoryview(scores).cast("B").cast("f")

    def restrict(self, grammar: Any) -> None:
        """Let a grammar take the scores of what it forbids, which leaves them out of order."""
        self.apply(grammar)
        self._array.sorted = False

    def log_probabilities(self, tokens: Iterable[int]) -> dict[int, float]:
        """The logarithms of the probabilities of some tokens; to be asked right after `fill`."""
        self.apply(self._greedy)
        best = self._data[self._array.selected]
        self.apply(self._softmax)
        # By the difference of scores: as a float a small probability is 0.
        least = log(best.p) - best.logit
        return {token: self._data[token].logit + least for token in tokens}

    def allowed(self, grammar: Any, token: int) -> bool:
        """Whether a grammar takes this token next."""
        data = self._one_data[0]
        data.id, data.logit = token, 0.0
        self._one.size = 1
        llama.llama_sampler_apply(grammar, ctypes.byref(self._one))
        return bool(data.logit == 0.0)
