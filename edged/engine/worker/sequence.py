"""One run: its prompt is read in chunks, then it yields a token per step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from edged.engine.frames import Done, Generate, Prefill
from edged.engine.worker.native import llama
from edged.engine.worker.output import Output
from edged.engine.worker.reading import Reading
from edged.engine.worker.sampling import NO_TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence as Tokens

    from edged.engine.worker.channel import Channel
    from edged.engine.worker.context import Context
    from edged.engine.worker.model import Model
    from edged.engine.worker.sampling import Sampler

Finish = Literal["stop", "length", "cancelled"]
# Small chunks of a small model would flood the daemon with progress.
_PREFILL_FRAME_S = 0.1


class Sequence(Reading):
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
        super().__init__(request.key, prompt, request.priority, stops)
        self.finish: Finish | None = None
        self.token = 0
        self._model = model
        self._native = context.native
        self._channel = channel
        self._received_at = received_at
        self._read_at: float | None = None
        self._first_at: float | None = None
        self._last_at = 0.0
        self._count = 0
        self._limit = min(request.max_tokens, context.n_ctx - len(prompt))
        self._sampler = sampler
        self._output = Output(channel, request.key, request.stop)
        self._told_at = 0.0

    def tell_read(self, now: float) -> None:
        """Say how far the prompt is read; once it is whole, take the first token."""
        if now - self._told_at >= _PREFILL_FRAME_S or not self.reading:
            self._told_at = now
            total = len(self.prompt)
            self._channel.send(Prefill(key=self.key, done=self.position, total=total))
        if not self.reading:
            self._read_at = self._last_at = now
            self.take()

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

    def flush(self) -> None:
        """Send what text there is: the next token will take a while."""
        self._output.flush()

    def close(self) -> None:
        """Free what C holds for it."""
        self._sampler.close()

    def done(self, finish: Finish) -> Done:
        """Send the rest of the text and sum up."""
        self._output.close()
        now = time.monotonic()
        read_at = now if self._read_at is None else self._read_at
        began_at = self.began_at if self.begun else read_at
        first_at = self._received_at if self._first_at is None else self._first_at
        return Done(
            key=self.key,
            finish_reason=finish,
            prompt_tokens=len(self.prompt),
            cached_tokens=self.cached,
            completion_tokens=self._count,
            prompt_ms=(read_at - began_at) * 1e3,
            predicted_ms=max(0.0, self._last_at - read_at) * 1e3,
            ttft_ms=(first_at - self._received_at) * 1e3,
        )
