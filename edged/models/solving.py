"""What the times of made-up models say about single bytes of weights."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import msgspec

from edged.models.amounts import amounts
from edged.models.calibration import Base, Cost, Rate, Slope
from edged.models.leastsquares import fit
from edged.models.trials import (
    DEEP,
    DEEP_EXPERTS,
    FAR,
    FAR_KIND,
    HEADS,
    ONCE,
    REFERENCE,
    ROUTER,
    SLIM,
    SLIM_WIDE,
    THIN,
    TICK_S,
    WIDE,
    repetitions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edged.models.amounts import Amounts, Phase
    from edged.models.trials import Timing, Trial

# The weights are by far most of a model that is to tell what they cost; less than so much of its
# time is noise in the other terms.
LEAST_SHARE = 0.1
_TURNS = 4  # after so many a block's cost is within a percent, where sums are exact
_COSTS = ("token", "block", "number", "head", "experts", "routed")  # of a Base


class Terms(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        rates: Of each type, use, arrangement and number of threads.
        bases: For each number of threads.
        slopes: Of attention.
        spread: Median relative scatter of the repetitions.
    """

    rates: tuple[Rate, ...]
    bases: tuple[Base, ...]
    slopes: tuple[Slope, ...]
    spread: float


def solve(trials: Sequence[Trial], timings: Sequence[Timing]) -> Terms:
    """The terms of the sum, from the times of all trials.

    Of repetitions the quickest counts, since whoever else computes only adds. Prefill is timed with
    the most threads only and taken to scale with them.

    Args:
        trials: As planned.
        timings: Of them, each with every number of threads, as often as there were.

    Raises:
        KeyError: A trial that others rest on was not timed.
    """
    counts = sorted({timing.threads for timing in timings})
    read = _Solver(trials, timings, counts[-1], "prefill")
    rates: list[Rate] = []
    bases: list[Base] = []
    slopes: list[Slope] = []
    for threads in counts:
        more = counts[-1] / threads
        done = _Solver(trials, timings, threads, "decode")
        base = zip(done.base, read.base, strict=True)
        costs = (Cost(decode, prefill * more) for decode, prefill in base)
        bases.append(Base(threads=threads, **dict(zip(_COSTS, costs, strict=True))))
        rates += _rates(trials, threads, done, read, more)
        slopes += _slopes(trials, threads, done, read, more)
    return Terms(tuple(rates), tuple(bases), tuple(slopes), _spread(timings))


class _Solver:
    """The terms of one phase with one number of threads.

    Attributes:
        base: Seconds in the order of `Base`: token, block, number, head, experts, routed.
    """

    def __init__(
        self, trials: Sequence[Trial], timings: Sequence[Timing], threads: int, phase: Phase
    ) -> None:
        self._times: dict[tuple[str, bool, int], float] = {}
        for timing in timings:
            seen = getattr(timing, phase)
            if timing.threads == threads and seen:
                key = (timing.trial, timing.repack, timing.depth)
                self._times[key] = max(TICK_S, min(*seen, self._times.get(key, seen[0])))
        self._amounts = {
            (trial.name, trial.repack): amounts(trial.shape, phase) for trial in trials
        }
        plain, reference, colder = self._blocks()
        self.base = (*plain, 0.0, 0.0)
        self._reference = {False: reference, True: reference}
        self._router = self._byte(f"dense {ROUTER}", repack=False)
        experts, routed, _ = self._experts()
        token, block, *others = plain
        self.base = (token, block + colder, *others, experts, routed)
        if (f"dense {REFERENCE}", True, 0) in self._times:
            self._reference[True] = self._byte(f"dense {REFERENCE}", repack=True)
        self._farther = self._beyond()
        self.base = (*self.base[:4], experts + self._sought(), routed)

    def byte(self, trial: Trial) -> float:
        """Seconds of a byte of the type that a trial is about."""
        more = self._farther if trial.shape.experts else 0.0
        return more + self._byte(trial.name, repack=trial.repack)

    def deeper(self, trial: Trial) -> float:
        """Seconds that a token takes longer at the trial's depth."""
        deep, empty = (self._times[trial.name, trial.repack, at] for at in (trial.depth, 0))
        return max(0.0, deep - empty)

    def _beyond(self) -> float:
        """Seconds that a byte of experts takes longer where they are larger than any cache."""
        if (f"{FAR} {FAR_KIND}", False, 0) not in self._times:
            return 0.0
        far, near = (self._byte(f"{use} {FAR_KIND}", repack=False) for use in (FAR, "experts"))
        return max(0.0, far - near)

    def _sought(self) -> float:
        """Seconds that a block's experts take longer where their matrices are in no cache."""
        if (DEEP_EXPERTS, False, 0) not in self._times:
            return 0.0
        found = self._amounts[DEEP_EXPERTS, False]
        byte = self._farther + self._byte(f"experts {FAR_KIND}", repack=False)
        passed = self._passed(found, repack=False) + found.experts * byte
        return max(0.0, self._times[DEEP_EXPERTS, False, 0] - passed) / found.chosen

    def _blocks(self) -> tuple[list[float], float, float]:
        """Once, of a block, a number, a head; of a byte; what a block costs more in no cache.

        The last of them rests on the others, and they on it.
        """
        *plain, byte = self._plain(0.0)
        colder = 0.0
        for _ in range(_TURNS):
            colder = self._cold(*plain)
            *plain, byte = self._plain(colder)
        return plain, byte, colder

    def _cold(self, token: float, block: float, number: float, head: float) -> float:
        """Seconds that a block takes longer where its matrices are in no cache."""
        if (DEEP, False, 0) not in self._times:
            return 0.0
        names = (f"dense {REFERENCE}", DEEP)
        found = [self._amounts[name, False] for name in names]
        times = [self._times[name, False, 0] for name in names]
        rests = [
            _rest(time, token + number * each.numbers + head * each.heads)
            for time, each in zip(times, found, strict=True)
        ]
        cold, _ = fit([(each.blocks, each.dense + each.output) for each in found], rests)
        return max(0.0, cold - block)

    def _plain(self, colder: float) -> tuple[float, ...]:
        """Once, of a block, of a number, of a head, of a byte of the reference type.

        Args:
            colder: Seconds that a block takes longer in the last of these models.
        """
        names = (ONCE, THIN, WIDE, HEADS, f"dense {REFERENCE}")
        found = [self._amounts[name, False] for name in names]
        rows = [
            (1.0, each.blocks, each.numbers, each.heads, each.dense + each.output) for each in found
        ]
        times = [self._times[name, False, 0] for name in names]
        times[-1] = _rest(times[-1], colder * found[-1].blocks)
        return fit(rows, times)

    def _experts(self) -> tuple[float, ...]:
        """Of a block's experts, of a number of theirs, of a byte of the reference type."""
        names = (SLIM, SLIM_WIDE, f"experts {REFERENCE}")
        found = [self._amounts[name, False] for name in names]
        rows = [(each.chosen, each.routed, each.experts) for each in found]
        times = [self._times[name, False, 0] for name in names]
        # What is no more than the rest of the model is expected to take says nothing.
        rests = [
            _rest(time, self._passed(each, repack=False))
            for time, each in zip(times, found, strict=True)
        ]
        return fit(rows, rests)

    def _byte(self, name: str, *, repack: bool) -> float:
        found, time = self._amounts[name, repack], self._times[name, repack, 0]
        known = found._replace(dense=0) if not found.experts else found
        own = found.experts or found.dense
        return _rest(time, self._passed(known, repack=repack)) / own

    def _passed(self, found: Amounts, *, repack: bool) -> float:
        """All but the experts' weights."""
        token, block, number, head, experts, routed = self.base
        plain = token + block * found.blocks + number * found.numbers + head * found.heads
        weights = (found.dense + found.output) * self._reference[repack]
        chosen = experts * found.chosen + routed * found.routed
        return plain + weights + chosen + (found.router and found.router * self._router)


def _rest(time: float, known: float) -> float:
    """What is left of a time without what is known; never nothing."""
    return max(time * LEAST_SHARE, time - known)


def _rates(
    trials: Sequence[Trial], threads: int, done: _Solver, read: _Solver, more: float
) -> Iterator[Rate]:
    for trial in trials:
        use, _, kind = trial.name.partition(" ")
        if kind and use != FAR and not trial.depth:
            yield Rate(
                kind=kind,
                use="experts" if use == "experts" else "dense",
                repacked=trial.repack,
                threads=threads,
                byte=Cost(done.byte(trial), read.byte(trial) * more),
            )


def _slopes(
    trials: Sequence[Trial], threads: int, done: _Solver, read: _Solver, more: float
) -> Iterator[Slope]:
    for trial in trials:
        if trial.depth:
            shape = trial.shape
            numbers = trial.depth * shape.layers * shape.heads * 2 * shape.head
            cost = Cost(done.deeper(trial) / numbers, read.deeper(trial) * more / numbers)
            yield Slope(kv_type=trial.kv_type, threads=threads, number=cost)


def _spread(timings: Sequence[Timing]) -> float:
    """Half of what lies between the quickest and the slowest repetition, of the middle trial."""
    seen = repetitions(timings)
    scatter = [
        (max(times) - min(times)) / (2 * median(times)) for times in seen.values() if min(times) > 0
    ]
    return min(1.0, median(scatter)) if scatter else 0.0
