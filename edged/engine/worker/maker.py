"""A request to a run: its prompt in tokens, and what its answer is made by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.engine.worker.decision import Decision
from edged.engine.worker.obeying import Obeying
from edged.engine.worker.sampling import Searches, sampler
from edged.engine.worker.sequence import Sequence

if TYPE_CHECKING:
    from edged.engine.frames import Generate
    from edged.engine.worker.channel import Channel
    from edged.engine.worker.context import Context
    from edged.engine.worker.model import Model
    from edged.engine.worker.prompt import Prompter
    from edged.engine.worker.run import Run
    from edged.engine.worker.runs import Arrival


class Maker:
    """Makes the runs of one context.

    Args:
        model: Computes them.
        context: Where.
        channel: Where their results go.
        prompter: Turns messages into tokens.
    """

    def __init__(
        self, model: Model, context: Context, channel: Channel, prompter: Prompter
    ) -> None:
        self._model = model
        self._context = context
        self._channel = channel
        self._prompter = prompter
        self._searches = Searches(model.n_vocab)

    def make(self, arrival: Arrival) -> Run:
        """The run of a request.

        Raises:
            PromptError: It can have none.
        """
        model, request = self._model, arrival.request
        prompt = self._prompter.tokens(request.messages)
        stops = self._stops(request)
        if request.choices:
            return Decision(
                model,
                self._context,
                self._channel,
                request,
                prompt=prompt,
                received_at=arrival.at,
                stops=stops,
            )
        bound = request.schema is not None
        return Sequence(
            model,
            self._context,
            self._channel,
            request,
            sampler=Obeying(request, model)
            if bound
            else sampler(request, model.n_vocab, self._searches),
            prompt=prompt,
            received_at=arrival.at,
            stops=stops,
        )

    def _stops(self, request: Generate) -> list[int]:
        """Where recurrent state is worth keeping: at the end of what personas have in common."""
        system = request.messages[0]
        if self._context.memory.partial or system.role != "system" or len(request.messages) == 1:
            return []
        return [len(self._prompter.beginning([system]))]
