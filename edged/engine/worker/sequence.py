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

    Attributes:
        tokens: Written, and not in the context yet.

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
        self.tokens: list[int] = []
        self._model = model
        self._native = context.native
        # Each run has an equal share of a step.
        self._most = context.batch.capacity // context.slots - 1
        self._limit = min(request.max_tokens, context.n_ctx - len(prompt))
        self._sampler = sampler
        self._output = Output(channel, request.key, request.stop)
        self._cuttable = request.schema is None

    def take(self) -> None:
        """Sample one token from the logits of this step, and pass its text on.

        What follows it in any case is written as well, and decoded together with it.
        """
        token = self._sampler.choose(self._native, self.row)
        now = time.monotonic()
        if token == NO_TOKEN or llama.llama_vocab_is_eog(self._model.vocab, token):
            self.finish = "stop"
            return
        self.tokens = [token]
        self._write(token, now)
        if self.finish is None:
            self._follow(now)

    def _follow(self, now: float) -> None:
        for token in self._sampler.follow(self._most):
            self.tokens.append(token)
            self._write(token, now)
            if self.finish is not None:
                break

    def _write(self, token: int, now: float) -> None:
        self._count += 1
        self._last_at = now
        if self._first_at is None:
            self._first_at = now
        if self._output.add(self._model.piece(token), now):
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

    def leave(self) -> None:
        """Send text that is due, before the next token is chosen."""
        self._output.leave()

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
