"""A sampler whose tokens make an answer that obeys a schema."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from edged.engine.worker import gbnf
from edged.engine.worker.deadline import DeadlineError, bounded
from edged.engine.worker.fastforward import FastForward
from edged.engine.worker.native import llama
from edged.engine.worker.prompt import PromptError
from edged.engine.worker.sampling import NO_PENALTY, NO_TOKEN, Sampler

if TYPE_CHECKING:
    from edged.engine.frames import Generate
    from edged.engine.worker.model import Model

BAD_SCHEMA = "bad_schema"
# The largest schema the daemon passes takes some hundredths of a second on a desktop.
_COMPILE_S = 2.0
_COMPILE_BYTES = 64 << 20
# A grammar looks at each token it is asked for, 12 ms for 152,000. Between the words of JSON few
# first bytes are possible, and inside of a text some of the likeliest tokens nearly always are.
_MANY = 1024
_LIKELIEST = 256


class Obeying(Sampler):
    """Chooses by the chain alone; what the grammar forbids is chosen anew among what it allows.

    A grammar that is made to take a token it forbids ends the process, so none is accepted unasked.

    Args:
        request: With a schema.
        model: Its vocabulary.

    Raises:
        PromptError: With the code bad_schema.
    """

    def __init__(self, request: Generate, model: Model) -> None:
        text = grammar_of(request.schema or "")
        self._ascii_only = text.isascii()
        self._grammar = compiled(text, model)
        super().__init__(request, model.n_vocab)
        self._remembers = request.repeat_penalty != NO_PENALTY
        self._candidates = model.candidates
        self._beginnings = model.beginnings
        self._ahead = FastForward(model, text)
        self._likeliest = llama.llama_sampler_init_top_k(_LIKELIEST)
        self._best = llama.llama_sampler_init_greedy()

    def choose(self, context: Any, row: int) -> int:
        """As `Sampler.choose`; NO_TOKEN if the vocabulary has none that may follow."""
        token = self._freely(context, row)
        if not self._candidates.allowed(self._grammar, token):
            token = self._anew(context, row)
        if token != NO_TOKEN:
            self._accept(token)
        return token

    def follow(self, most: int) -> list[int]:
        """As `Sampler.follow`: what the grammar leaves no choice about."""
        taken: list[int] = []
        for token in self._ahead.tokens(self._grammar)[:most]:
            if not self._candidates.allowed(self._grammar, token):
                break  # the last one that was accepted is as good a place to go on from
            self._accept(token)
            taken.append(token)
        return taken

    def close(self) -> None:
        """Free all samplers."""
        super().close()
        for sampler in (self._grammar, self._likeliest, self._best):
            llama.llama_sampler_free(sampler)

    def _accept(self, token: int) -> None:
        llama.llama_sampler_accept(self._grammar, token)
        if self._remembers:
            llama.llama_sampler_accept(self.native, token)

    def _freely(self, context: Any, row: int) -> int:
        """What the chain would choose; it does not count that token as written yet."""
        if not self._remembers:
            return super().choose(context, row)
        self._candidates.fill(context, row)
        self._candidates.apply(self.native)
        return self._candidates.chosen[0]

    def _anew(self, context: Any, row: int) -> int:
        """Choose among what the grammar allows."""
        candidates = self._candidates
        possible = self._beginnings.possible(candidates, self._grammar, ascii_only=self._ascii_only)
        if len(possible) <= _MANY:
            candidates.pick(context, row, possible)
            return self._restricted()
        candidates.fill(context, row)
        candidates.apply(self._likeliest)
        token = self._restricted()
        if token == NO_TOKEN:
            candidates.fill(context, row)
            token = self._restricted()
        return token

    def _restricted(self) -> int:
        """The chain's choice of the candidates that the grammar allows."""
        candidates = self._candidates
        candidates.restrict(self._grammar)
        candidates.apply(self._best)
        best, score = candidates.chosen
        if score == -inf:
            return NO_TOKEN
        candidates.apply(self.native)
        token, score = candidates.chosen
        return best if score == -inf else token


def grammar_of(schema: str) -> str:
    """The grammar of a plain schema.

    Raises:
        PromptError: With the code bad_schema.
    """
    try:
        with bounded(_COMPILE_S, _COMPILE_BYTES):
            return gbnf.grammar(schema)
    except (gbnf.GrammarError, DeadlineError, MemoryError) as error:
        message = f"the schema: {str(error) or type(error).__name__}"
        raise PromptError(BAD_SCHEMA, message) from None


def compiled(grammar: str, model: Model) -> Any:
    """A sampler that takes what a grammar takes.

    Raises:
        PromptError: With the code bad_schema.
    """
    native = llama.llama_sampler_init_grammar(model.vocab, grammar.encode(), gbnf.ROOT.encode())
    if not native:
        raise PromptError(BAD_SCHEMA, "the schema: llama.cpp takes no such grammar")
    return native
