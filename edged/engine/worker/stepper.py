"""One step of computing: a token for each run that decodes, and some of the prompts unread."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING, Any

from edged.engine.worker.context import ABORTED, FULL
from edged.engine.worker.native import NO_ABORT

if TYPE_CHECKING:
    from edged.engine.worker.context import Context
    from edged.engine.worker.pacing import Pacing
    from edged.engine.worker.prefixes import Prefixes
    from edged.engine.worker.reading import Reading
    from edged.engine.worker.sequence import Sequence


# A step that reads prompts is begun anew with whoever comes in this part of it. Read together they
# cost a third less than one beside the other's answer (a MoE; four prompts of 43 tokens: 4.2
# against 6.5 ms a token on one core).
JOIN_PART = 1 / 4


class NoRoomError(Exception):
    """The runs together hold all cells, and nothing else is left to forget."""


class Stepper:
    """Fills the batch, decodes it and enters what became of it.

    Args:
        context: Computes.
        prefixes: Of that context.
        pacing: Sizes the share of the prompts.
        abort: Asked at each node of a graph that only reads prompts.
    """

    def __init__(self, context: Context, prefixes: Prefixes, pacing: Pacing, abort: Any) -> None:
        self._context = context
        self._prefixes = prefixes
        self._pacing = pacing
        self._abort = abort
        self._early_until = -inf

    def step(self, decoders: list[Sequence], readers: list[Reading], streams: int) -> list[Reading]:
        """Compute once.

        Args:
            decoders: Each gets its last tokens decoded; its logits are at its row afterwards.
            readers: In their order, as far as the step has room.
            streams: Runs that decode; more than `decoders` where these are not due yet.

        Returns:
            The readers that read something; empty if the step was aborted.

        Raises:
            NoRoomError: Nothing was computed; one of them has to go.
            DecodeError: llama.cpp refused; none of them may go on.
        """
        batch = self._context.batch
        decoded = sum(len(run.tokens) for run in decoders)
        chunks = self._chunks(readers, streams, batch.capacity - decoded)
        if not self._prefixes.room(sum(chunks) + decoded, time.monotonic()):
            raise NoRoomError
        batch.clear()
        for run in decoders:
            run.row = batch.extend(run.tokens, run.position, run.sequence, logits=True)
        for reader, size in zip(readers, chunks, strict=False):
            reader.place(batch, size)
        began = time.monotonic()
        if not self._decode(readers if not decoders else [], began):
            self._undo(readers)
            return []
        now = time.monotonic()
        self._pacing.observe(now - began, sum(chunks), len(decoders))
        self._enter(decoders, readers, chunks, now)
        return readers[: len(chunks)]

    def _chunks(self, readers: list[Reading], streams: int, room: int) -> list[int]:
        """Prompt tokens of each reader, the first ones first."""
        if not readers:
            return []
        left = sum(reader.left for reader in readers)
        room = min(room, self._pacing.chunk(left, streams, len(readers)))
        sizes = []
        for reader in readers:
            sizes.append(min(reader.left, room))
            room -= sizes[-1]
            if room <= 0:
                break
        return sizes

    def early(self, now: float) -> bool:
        """Whether the present step had better be begun anew with one more prompt in it."""
        return now < self._early_until

    def _decode(self, alone: list[Reading], began: float) -> bool:
        """Decode the batch; False if it was aborted.

        Only a step of prompts alone can be: others lost a token by it, and recurrent state that is
        half changed is lost with all that is in the step.
        """
        stoppable = self._context.memory.partial or len(alone) == 1
        abort = self._abort if alone and stoppable else NO_ABORT
        if alone and self._context.memory.partial and self._context.batch.size < self._pacing.limit:
            whole_s = self._pacing.reading_s(self._context.batch.size)
            self._early_until = began + JOIN_PART * whole_s
        try:
            return self._compute(abort)
        finally:
            self._early_until = -inf

    def _compute(self, abort: Any) -> bool:
        while True:
            code = self._context.decode(abort)
            if code != FULL:
                return code != ABORTED
            # What is counted as free may be in pieces, or hold what recurrent models double.
            if not self._prefixes.forget_one(time.monotonic()):
                raise NoRoomError

    def _undo(self, readers: list[Reading]) -> None:
        """Forget what an aborted step may have left of its tokens."""
        for reader in readers:
            if self._context.memory.partial:
                self._context.memory.drop(reader.sequence, reader.position)
            else:
                # A state that is half changed cannot be put back.
                reader.restart(self._prefixes)

    def _enter(
        self, decoders: list[Sequence], readers: list[Reading], chunks: list[int], now: float
    ) -> None:
        for run in decoders:
            self._prefixes.read(run.sequence, run.tokens)
            run.position += len(run.tokens)
        for reader, size in zip(readers, chunks, strict=False):
            reader.read(size, self._prefixes, now)
