"""Times made-up tokens while nobody asks: how fast does this model read and decode here?

As llama-bench does it: tokens by chance, nothing sampled, no end of text. A step is timed from the
call of llama.cpp to its return, so what this process does between two steps is not in the figures.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edged.engine.frames import Failed, Measure, Measured, Prefill
from edged.engine.worker.context import ABORTED, DONE, DecodeError
from edged.engine.worker.native import NO_ABORT

if TYPE_CHECKING:
    from collections.abc import Generator

    from edged.engine.worker.channel import Channel
    from edged.engine.worker.context import Context
    from edged.engine.worker.crew import Crew
    from edged.engine.worker.prefixes import Prefixes

_PROGRESS_S = 0.5
# A linear congruential generator (Numerical Recipes): on a mixture of experts equal tokens would
# wake the same experts over and over.
_FACTOR, _SUMMAND, _MODULUS = 1_664_525, 1_013_904_223, 1 << 32
_ENDED = object()

# The codes of Failed.
INTERRUPTED = "interrupted"
TOO_DEEP = "too_deep"
NO_ROOM = "no_room"


class GiveUpError(Exception):
    """This measurement cannot go on; `code` is for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Stopwatch:
    """Does one Measure at a time, a step for each `advance`.

    Args:
        context: Computes.
        prefixes: Of that context; what it keeps gives way as for a run.
        crew: The threads.
        channel: Where results go.
        n_vocab: Tokens of the vocabulary.
        abort: Asked inside steps that read.
    """

    def __init__(  # noqa: PLR0913 - what computing needs; made in one place
        self,
        *,
        context: Context,
        prefixes: Prefixes,
        crew: Crew,
        channel: Channel,
        n_vocab: int,
        abort: Any,
    ) -> None:
        self._context = context
        self._prefixes = prefixes
        self._crew = crew
        self._channel = channel
        self._n_vocab = n_vocab
        self._abort = abort
        self._seed = 1
        self._done = 0
        self._told_at = 0.0
        self._measure: Measure | None = None
        self._steps: Generator[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether there is something to time."""
        return self._measure is not None

    @property
    def running(self) -> bool:
        """Whether it has begun."""
        return self._steps is not None

    def begin(self, measure: Measure) -> None:
        """Take one; it waits for the first `advance`."""
        self._measure = measure

    def advance(self) -> None:
        """One step; the last one sends the result."""
        measure = self._measure
        if measure is None:
            return
        if self._steps is None:
            self._done = 0
            self._told_at = time.monotonic()
            self._steps = self._run(measure)
        try:
            ended = next(self._steps, _ENDED) is _ENDED
        except GiveUpError as error:
            self._give_up(measure, error.code, str(error))
            return
        except DecodeError as error:
            self._give_up(measure, "decode_failed", str(error))
            return
        if ended:
            self._measure = self._steps = None
        else:
            self._tell(measure)

    def interrupt(self) -> None:
        """Somebody asks: what was timed so far is of no use; what has not begun waits."""
        if self._measure is not None and self._steps is not None:
            self._give_up(self._measure, INTERRUPTED, "a request came")

    def _give_up(self, measure: Measure, code: str, message: str) -> None:
        if self._steps is not None:
            self._steps.close()
        self._measure = self._steps = None
        self._channel.send(Failed(key=measure.key, code=code, message=message))

    def _tell(self, measure: Measure) -> None:
        now = time.monotonic()
        if now - self._told_at >= _PROGRESS_S:
            self._told_at = now
            total = measure.depth + measure.repeat * (measure.pp + measure.tg)
            self._channel.send(Prefill(key=measure.key, done=self._done, total=total))

    # The steps.

    def _run(self, measure: Measure) -> Generator[None]:
        most = measure.depth + max(measure.pp, measure.tg)
        if most > self._context.n_ctx:
            message = f"{most} tokens, and the context has {self._context.n_ctx}"
            raise GiveUpError(TOO_DEEP, message)
        self._crew.exactly(measure.threads, measure.threads_batch)
        sequences: list[int] = []
        try:
            self._take(sequences, most)
            pp_ms, tg_ms = yield from self._repeat(measure, *sequences)
        finally:
            for sequence in sequences:
                self._prefixes.abandon(sequence)
            self._crew.resume()
        self._channel.send(Measured(key=measure.key, pp_ms=pp_ms, tg_ms=tg_ms))

    def _take(self, sequences: list[int], cells: int) -> None:
        """Two sequences and room: one keeps the depth, the other is thrown away each time."""
        now = time.monotonic()
        while len(sequences) < 2:  # noqa: PLR2004 - as said
            lease = self._prefixes.open([], now)
            if lease is None:
                raise GiveUpError(NO_ROOM, "all sequences run")
            sequences.append(lease.sequence)
        if not self._prefixes.room(cells, now):
            raise GiveUpError(NO_ROOM, "the runs hold all cells")

    def _repeat(
        self, measure: Measure, kept: int, scratch: int
    ) -> Generator[None, None, tuple[tuple[float, ...], tuple[float, ...]]]:
        pp_ms: list[float] = []
        tg_ms: list[float] = []
        yield from self._read(kept, 0, measure.depth)
        for _ in range(measure.repeat):
            for count, steps, times in (
                (measure.pp, self._read, pp_ms),
                (measure.tg, self._decode, tg_ms),
            ):
                if count:
                    self._copy(kept, scratch, measure.depth)
                    times.append((yield from steps(scratch, measure.depth, count)) * 1e3)
                    self._context.memory.drop(scratch)
        return tuple(pp_ms), tuple(tg_ms)

    def _copy(self, kept: int, scratch: int, depth: int) -> None:
        if depth:
            self._context.memory.copy(kept, scratch, 0, depth)

    def _read(self, sequence: int, start: int, count: int) -> Generator[None, None, float]:
        """Read so many tokens behind `start`, in the largest steps; returns the seconds."""
        batch, seconds = self._context.batch, 0.0
        most = batch.capacity - self._context.slots
        for done in range(0, count, most):
            size = min(most, count - done)
            batch.clear()
            tokens = [self._token() for _ in range(size)]
            batch.extend(tokens, start + done, sequence, logits=done + size == count)
            seconds += self._compute(self._abort, size)
            yield
        return seconds

    def _decode(self, sequence: int, start: int, count: int) -> Generator[None, None, float]:
        """Decode so many tokens behind `start`, one after the other; returns the seconds."""
        batch, seconds = self._context.batch, 0.0
        for position in range(start, start + count):
            batch.clear()
            batch.add(self._token(), position, sequence)
            seconds += self._compute(NO_ABORT, 1)
            yield
        return seconds

    def _compute(self, abort: Any, count: int) -> float:
        began = time.monotonic()
        code = self._context.decode(abort)
        seconds = time.monotonic() - began
        if code == ABORTED:
            raise GiveUpError(INTERRUPTED, "a request came")
        if code != DONE:
            raise GiveUpError(NO_ROOM, "no room in the context")
        self._done += count
        return seconds

    def _token(self) -> int:
        self._seed = (self._seed * _FACTOR + _SUMMAND) % _MODULUS
        return self._seed * self._n_vocab // _MODULUS
