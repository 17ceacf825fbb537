"""One run that writes: its prompt is read in chunks, then it yields a token per step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edged.engine.worker.native import llama
from edged.engine.worker.output import Output
from edged.engine.worker.run import Finish, Run
from edged.engine.worker.sampling import NO_TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence as Tokens

    from edged.engine.frames import Done, Generate
    from edged.engine.worker.channel import Channel
    from edged.engine.worker.context import Context
    from edged.engine.worker.model import Model
    from edged.engine.worker.sampling import Sampler


class Sequence(Run):
    """The state of one run in the context.

    Args:
        model: Knows the vocabulary.
        context: Where it runs.
        channel: Where progress and text go.
        request: What was asked.
        sampler: Chooses its tokens, and is closed with it.
        prompt: Its tokens; at least one, and fewer than `context.n_ctx`.
        received_at: When Generate arrived, in monotonic seconds.
        stops: As in `Reading`.
    """

    def __init__(  # noqa: PLR0913 - what a run needs; made in one place
        self,
        model: Model,
        context: Context,
        channel: Channel,
        request: Generate,
        *,
        sampler: Sampler,
        prompt: list[int],
        received_at: float,
        stops: Tokens[int] = (),
    ) -> None:
        super().__init__(channel, request, prompt=prompt, received_at=received_at, stops=stops)
        self.token = 0
        self._model = model
        self._native = context.native
        self._limit = min(request.max_tokens, context.n_ctx - len(prompt))
        self._sampler = sampler
        self._output = Output(channel, request.key, request.stop)
        self._cuttable = request.schema is None

    def take(self) -> None:
        """Sample one token from the logits of this step and pass its text on."""
        model = self._model
        self.token = token = self._sampler.choose(self._native, self.row)
        now = time.monotonic()
        if token == NO_TOKEN or llama.llama_vocab_is_eog(model.vocab, token):
            self.finish = "stop"
            return
        self._count += 1
        self._last_at = now
        if self._first_at is None:
            self._first_at = now
        if self._output.add(model.piece(token), now):
            self.finish = "stop"
        elif self._count >= self._limit:
            self.finish = "length"

    def plan(self, tokens: int) -> None:
        """As in `Run`."""
        self.planned = min(tokens, self._limit)

    def hold(self) -> None:
        """Whole sentences alone from now on; JSON has none."""
        if self._cuttable:
            self._output.hold()

    def flush(self) -> None:
        """Send what text there is: the next token will take a while."""
        self._output.flush()

    def close(self) -> None:
        """Free what C holds for it."""
        self._sampler.close()

    def done(self, finish: Finish) -> Done:
        """Send the rest of the text and sum up."""
        self._output.close(cut=finish == "deadline")
        return super().done(finish)
