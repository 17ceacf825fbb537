"""A sampler whose tokens make an answer that obeys a schema."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from edged.engine.worker import gbnf
from edged.engine.worker.deadline import DeadlineError, bounded
from edged.engine.worker.native import llama
from edged.engine.worker.prompt import PromptError
from edged.engine.worker.sampling import NO_TOKEN, Sampler

if TYPE_CHECKING:
    from edged.engine.frames import Generate
    from edged.engine.worker.model import Model

BAD_SCHEMA = "bad_schema"
# The largest schema the daemon passes takes some hundredths of a second on a desktop.
_COMPILE_S = 2.0
_COMPILE_BYTES = 64 << 20
# So many of the likeliest tokens are asked for before the whole vocabulary is: a grammar looks at
# each of them, 30 ms for 152,000.
_FEW = 256


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
        self._grammar = compiled(request.schema or "", model)
        super().__init__(request, model.n_vocab)
        self._candidates = model.candidates
        self._few = llama.llama_sampler_init_top_k(_FEW)
        self._best = llama.llama_sampler_init_greedy()

    def choose(self, context: Any, row: int) -> int:
        """As `Sampler.choose`; NO_TOKEN if the vocabulary has none that may follow."""
        candidates = self._candidates
        candidates.fill(context, row)
        candidates.apply(self.native)
        token, _ = candidates.chosen
        if not candidates.allowed(self._grammar, token):
            token = self._among_few(context, row)
        if token != NO_TOKEN:
            llama.llama_sampler_accept(self._grammar, token)
            llama.llama_sampler_accept(self.native, token)
        return token

    def close(self) -> None:
        """Free all samplers."""
        super().close()
        for sampler in (self._grammar, self._few, self._best):
            llama.llama_sampler_free(sampler)

    def _among_few(self, context: Any, row: int) -> int:
        self._candidates.fill(context, row)
        self._candidates.apply(self._few)
        token = self._restricted()
        if token == NO_TOKEN:
            self._candidates.fill(context, row)
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


def compiled(schema: str, model: Model) -> Any:
    """The sampler of a schema's grammar.

    Raises:
        PromptError: With the code bad_schema.
    """
    try:
        with bounded(_COMPILE_S, _COMPILE_BYTES):
            grammar = gbnf.grammar(schema)
    except (gbnf.GrammarError, DeadlineError, MemoryError) as error:
        message = f"the schema: {str(error) or type(error).__name__}"
        raise PromptError(BAD_SCHEMA, message) from None
    native = llama.llama_sampler_init_grammar(model.vocab, grammar.encode(), gbnf.ROOT.encode())
    if not native:
        raise PromptError(BAD_SCHEMA, "the schema: llama.cpp takes no such grammar")
    return native
