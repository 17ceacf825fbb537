"""One run: its prompt is read in chunks, then it yields a token per step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from edged.engine.frames import Done, Generate, Prefill
from edged.engine.worker.native import llama
from edged.engine.worker.output import Output
from edged.engine.worker.sampling import Sampler

if TYPE_CHECKING:
    from typing import Any

    from edged.engine.worker.channel import Channel
    from edged.engine.worker.held import Held
    from edged.engine.worker.model import Model

Finish = Literal["stop", "length", "cancelled"]
# Small chunks of a small model would flood the daemon with progress.
_PREFILL_FRAME_S = 0.1
_FULL, _ABORTED = 1, 2


class DecodeError(Exception):
    """llama_decode refused; this run is lost, the context is not."""


class Sequence:
    """The state of one run in the context.

    Args:
        model: Computes.
        channel: Where progress and text go.
        request: What was asked.
        held: What the context holds already.
        tokens: The prompt; at least one, and fewer than the context holds.
        received_at: When Generate arrived, in monotonic seconds.
    """

    def __init__(  # noqa: PLR0913 - what a run needs; made in one place
        self,
        model: Model,
        channel: Channel,
        request: Generate,
        *,
        held: Held,
        tokens: list[int],
        received_at: float,
    ) -> None:
        self.key = request.key
        self.finish: Finish | None = None
        self._model = model
        self._channel = channel
        self._prompt = tokens
        self._held = held
        self._cached = self._position = held.reuse(tokens)
        self._received_at = received_at
        self._read_at: float | None = None
        self._first_at: float | None = None
        self._last_at = 0.0
        self._count = 0
        self._limit = min(request.max_tokens, model.n_ctx - len(tokens))
        self._sampler_owner = Sampler(request, model.n_vocab)
        self._sampler = self._sampler_owner.native
        self._token = 0
        self._output = Output(channel, request.key, request.stop)
        self._told_at = 0.0

    @property
    def reading(self) -> bool:
        """Whether some of the prompt is unread."""
        return self._position < len(self._prompt)

    def read(self, chunk: int, abort: Any) -> None:
        """One step of at most `chunk` prompt tokens.

        Raises:
            DecodeError: The step failed.
        """
        tokens = self._prompt[self._position : self._position + chunk]
        code = self._model.decode_prompt(tokens, self._position, abort)
        if code == _ABORTED:
            self.finish = "cancelled"
            return
        check(code)
        self._held.tokens += tokens
        self._position += len(tokens)
        now = time.monotonic()
        if now - self._told_at >= _PREFILL_FRAME_S or not self.reading:
            self._told_at = now
            total = len(self._prompt)
            self._channel.send(Prefill(key=self.key, done=self._position, total=total))
        if not self.reading:
            self._read_at = self._last_at = now
            self._model.batch.single()
            self.take()

    def place(self) -> None:
        """Put the last token into the batch, to be decoded next."""
        batch = self._model.batch
        batch.tokens[0] = self._token
        batch.positions[0] = self._position
        self._position += 1

    def take(self) -> None:
        """Sample one token from the logits of the last decode and pass its text on."""
        model = self._model
        self._token = token = llama.llama_sampler_sample(self._sampler, model.context, -1)
        now = time.monotonic()
        if llama.llama_vocab_is_eog(model.vocab, token):
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

    def placed(self) -> None:
        """The token in the batch was decoded: the context holds it."""
        self._held.tokens.append(self._token)

    def close(self) -> None:
        """Free what C holds for it; a step that was cut off leaves nothing in the context."""
        self._sampler_owner.close()
        self._held.trim(len(self._held.tokens))

    def done(self, finish: Finish) -> Done:
        """Send the rest of the text and sum up."""
        self._output.close()
        now = time.monotonic()
        read_at = now if self._read_at is None else self._read_at
        first_at = self._received_at if self._first_at is None else self._first_at
        return Done(
            key=self.key,
            finish_reason=finish,
            prompt_tokens=len(self._prompt),
            cached_tokens=self._cached,
            completion_tokens=self._count,
            prompt_ms=(read_at - self._received_at) * 1e3,
            predicted_ms=max(0.0, self._last_at - read_at) * 1e3,
            ttft_ms=(first_at - self._received_at) * 1e3,
        )


def check(code: int) -> None:
    """Raise DecodeError for what llama_decode returned, unless it is 0."""
    if code == _FULL:
        message = "no room in the context"
        raise DecodeError(message)
    if code != 0:
        message = f"llama_decode returned {code}"
        raise DecodeError(message)
