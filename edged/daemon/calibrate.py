"""Calibrates the board: loads made-up models into a child of its own and times them."""

from __future__ import annotations

import contextlib
import re
from itertools import islice
from typing import TYPE_CHECKING

from edged.daemon.scratch import IN_USE, Scratch
from edged.daemon.trying import Trying
from edged.models import trials
from edged.models.calibration import Calibration
from edged.models.fit import MAX_THREADS, budget
from edged.models.solving import solve
from edged.models.trials import plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edged.clock import Clock
    from edged.engine.supervisor import Settings
    from edged.models.facts import DeviceFacts
    from edged.models.trials import Timing, Trial

DEFAULT_CACHE = 8 << 20  # where the machine does not tell its caches
ROOM_SHARE = 2  # of the memory that we may use, for models that are loaded at once
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
    beside: int = 0,
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
        beside: Bytes of files that are to stay in memory meanwhile.

    Raises:
        EngineError: A child died, or could not measure.
        StorageError: The folder cannot be written.
    """
    began = clock.monotonic()
    timings: list[Timing] = []
    counts = threads_for(facts.cores)
    room = max(0, budget(facts).have - beside) // ROOM_SHARE

    def spent() -> float:
        return (clock.monotonic() - began) / trials.BUDGET_S

    def late() -> bool:
        return spent() >= 1.0

    with Scratch(folder) as scratch:
        trying = Trying(counts, room, clock, late=late, make=scratch.made, settings=settings)
        async with trying:
            order = in_order(planned, timings, spent, tell)
            while together := tuple(islice(order, IN_USE)):
                timings += await trying.time(together)
            timings += await trying.rest()
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


def in_order(
    planned: Sequence[Trial],
    timings: Sequence[Timing],
    spent: Callable[[], float],
    tell: Callable[[int, int, str], None],
) -> Iterator[Trial]:
    """One round; while there is time the others, and what they disagree about.

    Args:
        planned: The trials.
        timings: They grow meanwhile.
        spent: Tells the share of the time that is gone.
        tell: As in `calibrate`.
    """
    loaded = trials.rounds(planned)
    for done, trial in enumerate(loaded):
        if done >= len(planned) and spent() >= 1.0:
            return
        tell(done, len(loaded), trial.name)
        # Reading takes most of the time, and of half as many tokens tells nearly the same.
        yield trials.shorter(trial) if spent() > (done + 1) / len(planned) else trial
    again = trials.doubtful(planned, timings)
    for done, trial in enumerate(again):
        if spent() >= 1.0:
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
    return plan(facts.cpu_features, cache, memory_bytes=budget(facts).have)


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
