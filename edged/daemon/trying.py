"""Times made-up models, each once more some seconds later, without loading it again."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

import msgspec

from edged.daemon.model import keeping
from edged.daemon.timedchild import TimedChild
from edged.engine.frames import Load
from edged.models.made import size
from edged.models.trials import TIMES, Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edged.clock import Clock
    from edged.engine.supervisor import Settings
    from edged.models.trials import Trial

CONTEXT = 2048
TRIAL_S = 120.0  # none takes that long on a Pi; a child that hangs ends calibrating
# Whoever else computes on a machine does so for seconds on end: repetitions in a row all meet him,
# the second one of a model that waited for others has a chance not to. A load takes as long as all
# that is timed with it.
WAITING = 4  # their files are on the disk as long


class Trying:
    """`async with Trying(counts, room, clock, late) as trying:` ends all children in the end.

    Args:
        counts: Numbers of threads to try, the largest last: it alone is tried again.
        room: Bytes of models that may be loaded at once; one always is.
        clock: Of their supervisors.
        late: Whether there is no time left to time a model again.
        settings: Of the children.
    """

    def __init__(
        self,
        counts: Sequence[int],
        room: int,
        clock: Clock,
        late: Callable[[], bool],
        settings: Settings | None = None,
    ) -> None:
        self._counts = counts
        self._room = room
        self._clock = clock
        self._late = late
        self._settings = settings
        self._stack = AsyncExitStack()
        self._waiting: deque[_Waiting] = deque()

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def time(self, trial: Trial, path: Path, meanwhile: Callable[[], object]) -> list[Timing]:
        """Load a model and time it, and before it those again whose place it takes.

        Args:
            trial: Of the model.
            path: Its file.
            meanwhile: Done in a thread while the model is loaded, and nothing is timed.

        Raises:
            EngineError: A child died, or could not measure.
        """
        nbytes = size(trial.shape) * (2 if trial.repack else 1)
        found = await self._until(WAITING - 1, self._room - nbytes)
        stack = await self._stack.enter_async_context(AsyncExitStack())
        load = keeping(_load(path, self._counts[-1], repack=trial.repack), trial.kv_type)
        async with asyncio.timeout(TRIAL_S):
            child = TimedChild(load, self._clock, self._settings)
            aside = asyncio.ensure_future(asyncio.to_thread(meanwhile))
            try:
                await stack.enter_async_context(child)
            finally:
                await aside  # no thread can be stopped
            found += [
                await _timing(child, trial, threads, depth, most=threads == self._counts[-1])
                for threads in self._counts
                for depth in sorted({0, trial.depth})
            ]
        self._waiting.append(_Waiting(trial, nbytes, child, stack))
        return found

    async def rest(self) -> list[Timing]:
        """Those again that still wait.

        Raises:
            EngineError: As with `time`.
        """
        return await self._until(0, 0)

    async def _until(self, most: int, room: int) -> list[Timing]:
        """Time again and end whoever waits longest, until so many are left, with so many bytes."""
        found: list[Timing] = []
        while self._waiting and (
            len(self._waiting) > most or sum(each.nbytes for each in self._waiting) > room
        ):
            first = self._waiting.popleft()
            async with asyncio.timeout(TRIAL_S), first.stack:
                found += await self._again(first)
        return found

    async def _again(self, waiting: _Waiting) -> list[Timing]:
        """What is also timed at a depth is not: to get there takes longer than a load."""
        if waiting.trial.depth or self._late():
            return []
        plain = msgspec.structs.replace(waiting.trial, read=0)
        return [await _timing(waiting.child, plain, self._counts[-1], 0, most=True)]


class _Waiting(msgspec.Struct, frozen=True):
    trial: Trial
    nbytes: int
    child: TimedChild
    stack: AsyncExitStack


def _load(path: Path, threads: int, *, repack: bool) -> Load:
    return Load(
        path=str(path),
        n_ctx=CONTEXT,
        n_batch=512,
        threads=threads,
        threads_batch=threads,
        prefill_chunk=512,
        streams=1,
        prefix_tokens=0,
        repack=repack,
        warm_up=False,
    )


async def _timing(
    child: TimedChild, trial: Trial, threads: int, depth: int, *, most: bool
) -> Timing:
    tokens = trial.decoded if most else trial.decoded_by_fewer
    repeat = TIMES if most else 1
    decoded = await child.measure(
        depth=depth, tg=tokens, repeat=repeat, threads=threads, threads_batch=threads
    )
    prefill: tuple[float, ...] = ()
    if most and trial.read:
        found = await child.measure(
            depth=depth, pp=trial.read, threads=threads, threads_batch=threads
        )
        prefill = tuple(ms / 1e3 / trial.read for ms in found.pp_ms)
    return Timing(
        trial=trial.name,
        repack=trial.repack,
        threads=threads,
        depth=depth,
        decode=tuple(ms / 1e3 / tokens for ms in decoded.tg_ms),
        prefill=prefill,
    )
