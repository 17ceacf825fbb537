"""Times made-up models, and again some seconds later without loading them once more."""

from __future__ import annotations

import asyncio
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
    from edged.models.made import Shape
    from edged.models.trials import Trial

CONTEXT = 2048
TRIAL_S = 120.0  # none takes that long on a Pi; a child that hangs ends calibrating
# Whoever else computes on a machine does so for seconds on end: repetitions in a row all meet him,
# those of a model that waited for others have a chance not to. A load takes longer than all that is
# timed with it, so models wait for that as long as there is room.
WAITING = 48  # children, more than there are trials; of four threads each in a unit that has 256
CHILD_BYTES = 128 << 20  # that one takes beside its model


class Trying:
    """`async with Trying(...) as trying:` ends all children in the end.

    Args:
        counts: Numbers of threads to try, the largest last: it alone is tried again.
        room: Bytes of models that may be loaded at once; one always is.
        clock: Of their supervisors.
        late: Whether there is no time left to time a model again.
        make: Makes a model's file, in a thread; one at a time.
        settings: Of the children.
    """

    def __init__(  # noqa: PLR0913 - all that differs between calibrating and a test
        self,
        counts: Sequence[int],
        room: int,
        clock: Clock,
        *,
        late: Callable[[], bool],
        make: Callable[[Shape], Path],
        settings: Settings | None = None,
    ) -> None:
        self._counts = counts
        self._room = room
        self._clock = clock
        self._late = late
        self._make = make
        self._making = asyncio.Lock()
        self._settings = settings
        self._stack = AsyncExitStack()
        self._children: dict[tuple[str, bool], _Child] = {}  # who waits longest first

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def time(self, trials: Sequence[Trial]) -> list[Timing]:
        """Time models one after the other; those that are not there are loaded, side by side.

        Before it those are timed again whose place they take.

        Args:
            trials: Of the models; if there is no room for all, they are loaded one by one.

        Raises:
            EngineError: A child died, or could not measure.
            StorageError: A file could not be made.
        """
        known = [trial for trial in trials if _way(trial) in self._children]
        found = [timing for trial in known for timing in await self._more(trial)]
        new = [trial for trial in trials if trial not in known]
        alone = sum(map(need, new)) > self._room
        for group in ([trial] for trial in new) if alone else [new]:
            found += await self._until(WAITING - len(group), self._room - sum(map(need, group)))
            for child in await self._loaded(group):
                self._children[_way(child.trial)] = child
                found += await self._more(child.trial)
        return found

    async def rest(self) -> list[Timing]:
        """All that are there once more; then none is.

        Raises:
            EngineError: As with `time`.
        """
        return await self._until(0, 0)

    async def _more(self, trial: Trial) -> list[Timing]:
        """Time a model that is there; it waits now."""
        way = _way(trial)
        self._children[way] = loaded = self._children.pop(way)
        async with asyncio.timeout(TRIAL_S):
            return [
                await _timing(loaded.child, trial, threads, depth, most=threads == self._counts[-1])
                for threads in self._counts
                for depth in sorted({0, trial.depth})
            ]

    async def _loaded(self, trials: Sequence[Trial]) -> list[_Child]:
        """Nothing is timed meanwhile, and a load keeps one core busy."""
        async with asyncio.timeout(TRIAL_S):
            loaded = await asyncio.gather(*map(self._load, trials), return_exceptions=True)
        for each in loaded:
            if isinstance(each, BaseException):
                raise each
        return [each for each in loaded if isinstance(each, _Child)]

    async def _load(self, trial: Trial) -> _Child:
        path = await self._made(trial.shape)
        load = keeping(_load(path, self._counts[-1], repack=trial.repack), trial.kv_type)
        stack = await self._stack.enter_async_context(AsyncExitStack())
        child = TimedChild(load, self._clock, self._settings)
        await stack.enter_async_context(child)
        return _Child(trial, child, stack)

    async def _made(self, shape: Shape) -> Path:
        async with self._making:
            making = asyncio.ensure_future(asyncio.to_thread(self._make, shape))
            try:
                return await asyncio.shield(making)
            finally:
                await asyncio.wait([making])  # no thread can be stopped

    async def _until(self, most: int, room: int) -> list[Timing]:
        """Time again and end the largest, until so many are left, with so many bytes."""
        found: list[Timing] = []
        while self._children and (
            len(self._children) > most
            or sum(need(each.trial) for each in self._children.values()) > room
        ):
            # Of equals who waits longest; the largest make room for most others.
            largest = max(self._children, key=lambda way: need(self._children[way].trial))
            child = self._children.pop(largest)
            async with asyncio.timeout(TRIAL_S), child.stack:
                found += await self._again(child)
        return found

    async def _again(self, loaded: _Child) -> list[Timing]:
        """What is also timed at a depth is not: to get there takes longer than a load."""
        if loaded.trial.depth or self._late():
            return []
        plain = msgspec.structs.replace(loaded.trial, read=0)
        return [await _timing(loaded.child, plain, self._counts[-1], 0, most=True)]


class _Child(msgspec.Struct, frozen=True):
    trial: Trial
    child: TimedChild
    stack: AsyncExitStack


def need(trial: Trial) -> int:
    """Bytes while it is loaded: what is rearranged is there twice."""
    return CHILD_BYTES + size(trial.shape) * (2 if trial.repack else 1)


def _way(trial: Trial) -> tuple[str, bool]:
    return trial.name, trial.repack


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
