"""Calibrates the board: loads made-up models into a child of its own and times them."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

from edged.daemon.model import keeping
from edged.daemon.scratch import Scratch
from edged.daemon.timedchild import TimedChild
from edged.engine.frames import Load
from edged.models import trials
from edged.models.calibration import Calibration
from edged.models.fit import MAX_THREADS
from edged.models.solving import solve
from edged.models.trials import Timing, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edged.clock import Clock
    from edged.engine.supervisor import Settings
    from edged.models.facts import DeviceFacts
    from edged.models.trials import Trial

CONTEXT = 2048
DEFAULT_CACHE = 8 << 20  # where the machine does not tell its caches
TRIAL_S = 120.0  # none takes that long on a Pi; a child that hangs ends calibrating
_SIZE = re.compile(r"(\d+)([KM]?)\s*")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}


async def calibrate(  # noqa: PLR0913 - all that differs between the daemon and a test
    facts: DeviceFacts,
    board: str,
    folder: Path,
    clock: Clock,
    *,
    planned: Sequence[Trial],
    tell: Callable[[int, int, str], None],
    settings: Settings | None = None,
) -> Calibration:
    """Time made-up models, in rounds, with the numbers of threads that may be worth it.

    Args:
        facts: Of the board.
        board: `facts.fingerprint` with the engine's build.
        folder: Where made-up models are written, see `Scratch`.
        clock: Times the whole.
        planned: See `plan_for`.
        tell: Called before each trial with how many are done, of how many, and its name.
        settings: Of the child.

    Raises:
        EngineError: A child died, or could not measure.
        StorageError: The folder cannot be written.
    """
    began = clock.monotonic()
    timings: list[Timing] = []
    counts = threads_for(facts.cores)
    with Scratch(folder) as scratch:
        for trial in _order(planned, timings, lambda: clock.monotonic() - began, tell):
            path = await asyncio.to_thread(scratch.made, trial.shape)
            timings += await _time(trial, path, counts, clock, settings)
    terms = solve(planned, timings)
    return Calibration(
        board=board,
        rates=terms.rates,
        bases=terms.bases,
        slopes=terms.slopes,
        spread=terms.spread,
        seconds=clock.monotonic() - began,
        wall=clock.wall(),
    )


def _order(
    planned: Sequence[Trial],
    timings: Sequence[Timing],
    elapsed: Callable[[], float],
    tell: Callable[[int, int, str], None],
) -> Iterator[Trial]:
    """One round; while there is time the others, and what they disagree about.

    `timings` grows meanwhile.
    """
    loaded = trials.rounds(planned)
    for done, trial in enumerate(loaded):
        if done >= len(planned) and elapsed() >= trials.BUDGET_S:
            return
        tell(done, len(loaded), trial.name)
        yield trial
    again = trials.doubtful(planned, timings)
    for done, trial in enumerate(again):
        if elapsed() >= trials.BUDGET_S:
            return
        tell(len(loaded) + done, len(loaded) + len(again), trial.name)
        yield trial


def plan_for(facts: DeviceFacts, system: Path) -> list[Trial]:
    """The trials for a board.

    Args:
        facts: Of the board.
        system: Where sysfs is.
    """
    cache = last_level_cache(system)
    return plan(facts.cpu_features, cache, memory_bytes=facts.available_bytes)


def threads_for(cores: int) -> tuple[int, ...]:
    """The numbers of threads to try: all cores, and one and two fewer, which may well be faster."""
    most = max(1, min(MAX_THREADS, cores))
    return tuple(range(max(1, most - 2), most + 1))


def last_level_cache(system: Path) -> int:
    """Bytes of the largest cache of the first core."""
    sizes = [DEFAULT_CACHE]
    for path in system.glob("devices/system/cpu/cpu0/cache/index*/size"):
        with contextlib.suppress(OSError, ValueError):
            if found := _SIZE.fullmatch(path.read_text()):
                sizes.append(int(found[1]) * _UNITS[found[2]])
    return max(sizes[1:] or sizes)


async def _time(
    trial: Trial, path: Path, counts: Sequence[int], clock: Clock, settings: Settings | None
) -> list[Timing]:
    load = Load(
        path=str(path),
        n_ctx=CONTEXT,
        n_batch=512,
        threads=counts[-1],
        threads_batch=counts[-1],
        prefill_chunk=512,
        streams=1,
        prefix_tokens=0,
        repack=trial.repack,
        warm_up=False,
    )
    kept = keeping(load, trial.kv_type)
    async with asyncio.timeout(TRIAL_S), TimedChild(kept, clock, settings) as child:
        return [
            await _timing(child, trial, threads, depth, read=threads == counts[-1])
            for threads in counts
            for depth in sorted({0, trial.depth})
        ]


async def _timing(
    child: TimedChild, trial: Trial, threads: int, depth: int, *, read: bool
) -> Timing:
    decoded = await child.measure(
        depth=depth, tg=trial.decoded, repeat=trials.REPEAT, threads=threads, threads_batch=threads
    )
    prefill: tuple[float, ...] = ()
    if read and trial.read:
        found = await child.measure(
            depth=depth,
            pp=trial.read,
            repeat=trials.READ_REPEAT,
            threads=threads,
            threads_batch=threads,
        )
        prefill = tuple(ms / 1e3 / trial.read for ms in found.pp_ms)
    return Timing(
        trial=trial.name,
        repack=trial.repack,
        threads=threads,
        depth=depth,
        decode=tuple(ms / 1e3 / trial.decoded for ms in decoded.tg_ms),
        prefill=prefill,
    )
