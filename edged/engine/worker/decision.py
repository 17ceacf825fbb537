"""One run that decides: its prompt is read, and each option behind it, and nothing is written.

The last token of the prompt is read together with the options, as the first of each.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from edged.engine.worker.options import Options
from edged.engine.worker.prompt import PROMPT_TOO_LONG, PromptError
from edged.engine.worker.run import Finish, Run

if TYPE_CHECKING:
    from collections.abc import Sequence as Tokens

    from edged.engine.frames import Done, Generate
    from edged.engine.worker.channel import Channel
    from edged.engine.worker.context import Context
    from edged.engine.worker.model import Model
    from edged.engine.worker.options import Row

# JSON has no infinity; a probability of e^-1e9 is none.
_LEAST = -1e9


class Decision(Run):
    """The state of one decision in the context.

    Args:
        model: Knows the vocabulary.
        context: Where it runs.
        channel: Where progress goes.
        request: With choices.
        prompt: Its tokens.
        received_at: When Generate arrived, in monotonic seconds.
        stops: As in `Reading`.

    Raises:
        PromptError: With the code prompt_too_long: the options do not fit behind the prompt.
    """

    def __init__(  # noqa: PLR0913 - what a run needs; made in one place
        self,
        model: Model,
        context: Context,
        channel: Channel,
        request: Generate,
        *,
        prompt: list[int],
        received_at: float,
        stops: Tokens[int] = (),
    ) -> None:
        super().__init__(
            channel, request, prompt=prompt, received_at=received_at, stops=stops, held=1
        )
        self._candidates = model.candidates
        self._native = context.native
        options = [model.tokenize(choice, special=False) for choice in request.choices]
        self.options = Options(options, model.ends, prompt[-1])
        if len(prompt) + self.options.size >= context.n_ctx:
            message = (
                f"the prompt has {len(prompt)} tokens and its choices {self.options.size}, "
                f"the context {context.n_ctx}"
            )
            raise PromptError(PROMPT_TOO_LONG, message)

    @property
    def deciding(self) -> bool:
        """Whether the prompt is read and some options are not."""
        return self.begun and not self.reading and self.finish is None

    @property
    def work(self) -> int:
        """As in `Run`; while the prompt is read, all options too."""
        return len(self.prompt) + (self.options.size if self.reading else 0)

    def take(self) -> None:
        """The prompt is read but for its last token: nothing to be taken yet."""

    def enter(self, rows: Tokens[Row]) -> None:
        """Take the probabilities behind the tokens of a step."""
        for place, row in enumerate(rows):
            self._candidates.fill(self._native, place)
            wanted = self.options.wanted(row.node)
            self.options.enter(row.node, self._candidates.log_probabilities(wanted))

    def passed(self, count: int) -> None:
        """So many options are read."""
        self.options.passed(count)
        if not self.options.left:
            if self._read_at is None:
                self._read_at = self.began_at  # all of it was known
            self._first_at = self._last_at = time.monotonic()
            self.finish = "stop"

    def done(self, finish: Finish) -> Done:
        """Sum up, with the scores if they are known."""
        done = super().done(finish)
        if self.finish != "stop" or finish != "stop":
            return done
        scores = tuple(max(score, _LEAST) for score in self.options.scores())
        return msgspec.structs.replace(done, scores=scores)
