"""What the times of made-up models say about single bytes of weights."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from edged.models.calibration import Base, Cost, Rate, Slope
from edged.models.trials import REFERENCE, ROUTER, dense_bytes, expert_bytes, router_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edged.models.made import Shape
    from edged.models.trials import Timing, Trial

Phase = Literal["decode", "prefill"]
_SMALLEST = 1e-15  # seconds of a byte: no type costs nothing, whatever noise says


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

    Prefill is timed with the most threads only and taken to scale with them.

    Args:
        trials: As planned.
        timings: Of them, each with every number of threads.

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
        token, block, experts = (Cost(decode, prefill * more) for decode, prefill in base)
        bases.append(Base(threads=threads, token=token, block=block, experts=experts))
        rates += _rates(trials, threads, done, read, more)
        slopes += _slopes(trials, threads, done, read, more)
    return Terms(tuple(rates), tuple(bases), tuple(slopes), _spread(timings))


class _Constants(NamedTuple):
    """Seconds of a token: once, of each block, of each block's experts."""

    token: float
    block: float
    experts: float


class _Solver:
    """The terms of one phase with one number of threads."""

    def __init__(
        self, trials: Sequence[Trial], timings: Sequence[Timing], threads: int, phase: Phase
    ) -> None:
        self._times: dict[tuple[str, bool, int], float] = {
            (timing.trial, timing.repack, timing.depth): median(getattr(timing, phase))
            for timing in timings
            if timing.threads == threads and getattr(timing, phase)
        }
        self._shapes = {trial.name: trial.shape for trial in trials}
        token, block, self._reference = self._dense()
        without = _Constants(token, block, 0.0)
        self._router = self._of_dense(f"dense {ROUTER}", without, repack=False)
        self.base = _Constants(token, block, self._experts(without))

    def byte(self, trial: Trial) -> float:
        """Seconds of a byte of the type that a trial is about."""
        if not trial.shape.experts:
            return self._of_dense(trial.name, self.base, repack=trial.repack)
        rest = self._times[trial.name, trial.repack, 0] - self._without_experts(trial.shape)
        return max(_SMALLEST, rest / expert_bytes(trial.shape))

    def deeper(self, trial: Trial) -> float:
        """Seconds that a token takes longer at the trial's depth."""
        deep, empty = (self._times[trial.name, trial.repack, at] for at in (trial.depth, 0))
        return max(0.0, deep - empty)

    def _dense(self) -> tuple[float, float, float]:
        """Once, of a block, of a byte of the reference type: three equations."""
        names = ("once", "thin", f"dense {REFERENCE}")
        times = [self._times[name, False, 0] for name in names]
        blocks = [self._shapes[name].layers for name in names]
        sizes = [dense_bytes(self._shapes[name]) for name in names]
        # The first one is taken off the others, which leaves two unknowns.
        (b1, s1, t1), (b2, s2, t2) = (
            (blocks[row] - blocks[0], sizes[row] - sizes[0], times[row] - times[0])
            for row in (1, 2)
        )
        byte = max(_SMALLEST, (b1 * t2 - b2 * t1) / (b1 * s2 - b2 * s1))
        block = max(0.0, (t1 - byte * s1) / b1)
        return max(0.0, times[0] - block * blocks[0] - byte * sizes[0]), block, byte

    def _of_dense(self, name: str, base: _Constants, *, repack: bool) -> float:
        shape = self._shapes[name]
        rest = self._times[name, repack, 0] - base.token - shape.layers * base.block
        return max(_SMALLEST, rest / dense_bytes(shape))

    def _experts(self, base: _Constants) -> float:
        """What choosing and joining experts costs in a block, by a wide and a slim model."""
        names = (f"experts {REFERENCE}", "slim")
        (wide, more), (slim, fewer) = (
            (self._times[name, False, 0], expert_bytes(self._shapes[name])) for name in names
        )
        byte = max(_SMALLEST, (wide - slim) / (more - fewer))
        shape = self._shapes[names[0]]
        rest = wide - self._passed(shape, base) - byte * more
        return max(0.0, rest / shape.layers)

    def _without_experts(self, shape: Shape) -> float:
        return self._passed(shape, self.base) + shape.layers * self.base.experts

    def _passed(self, shape: Shape, base: _Constants) -> float:
        weights = dense_bytes(shape) * self._reference + router_bytes(shape) * self._router
        return base.token + shape.layers * base.block + weights


def _rates(
    trials: Sequence[Trial], threads: int, done: _Solver, read: _Solver, more: float
) -> Iterator[Rate]:
    for trial in trials:
        use, _, kind = trial.name.partition(" ")
        if kind and not trial.depth:
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
    scatter = [
        (max(timing.decode) - min(timing.decode)) / (2 * median(timing.decode))
        for timing in timings
        if min(timing.decode) > 0
    ]
    return min(1.0, median(scatter)) if scatter else 0.0
