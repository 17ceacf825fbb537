"""One request under way, whatever is made of its prompt: its progress and its sums."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

from edged.engine.frames import Done, Prefill
from edged.engine.worker.reading import Reading, due_at

if TYPE_CHECKING:
    from collections.abc import Sequence as Tokens

    from edged.engine.frames import Generate
    from edged.engine.worker.channel import Channel

Finish = Literal["stop", "length", "deadline", "cancelled"]
# Small chunks of a small model would flood the daemon with progress.
_PREFILL_FRAME_S = 0.1


class Run(Reading, ABC):
    """A prompt that is read, and then answered.

    Args:
        channel: Where progress and the answer go.
        request: What was asked.
        prompt: Its tokens; at least one, and fewer than a run has room for.
        received_at: When Generate arrived, in monotonic seconds.
        stops: As in `Reading`.
        held: As in `Reading`.

    Attributes:
        finish: How it ended; None while it goes on.
        planned: Tokens of the answer that fit at most, if it must end in time.
    """

    def __init__(  # noqa: PLR0913 - what a run needs
        self,
        channel: Channel,
        request: Generate,
        *,
        prompt: list[int],
        received_at: float,
        stops: Tokens[int] = (),
        held: int = 0,
    ) -> None:
        super().__init__(request.key, prompt, request.priority, stops, held)
        self.finish: Finish | None = None
        self.planned: int | None = None
        self.ends_at = due_at(request, received_at)
        self._channel = channel
        self._received_at = received_at
        self._read_at: float | None = None
        self._first_at: float | None = None
        self._last_at = 0.0
        self._count = 0
        self._told_at = 0.0

    def tell_read(self, now: float) -> None:
        """Say how far the prompt is read; once it is whole, take what its last logits say."""
        if now - self._told_at >= _PREFILL_FRAME_S or not self.reading:
            self._told_at = now
            self.tell(self.position)
        if not self.reading:
            self._read_at = self._last_at = now
            self.take()

    def tell(self, done: int) -> None:
        """Say that so many tokens of the prompt are read."""
        total = len(self.prompt)
        self._channel.send(Prefill(key=self.key, done=done, total=total, planned=self.planned))

    @property
    def work(self) -> int:
        """Tokens to be read before there is anything of an answer."""
        return len(self.prompt)

    def plan(self, tokens: int) -> None:
        """So many tokens of an answer fit."""

    def hold(self) -> None:
        """From now on it may be cut at any token."""

    @abstractmethod
    def take(self) -> None:
        """Take from the logits of this step what the answer is made of."""

    def flush(self) -> None:
        """Send what there is of the answer: more of it will take a while."""

    def close(self) -> None:
        """Free what C holds for it."""

    def done(self, finish: Finish) -> Done:
        """Send the rest of the answer and sum up."""
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
