"""Which settings to try on a model file, which of them is best, and what repetitions tell."""

from __future__ import annotations

from math import sqrt
from statistics import median, stdev
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from edged.models.figures import Depth, KvType, Try

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")

FEW_CORES = 8  # up to here each number of threads is tried; a Pi 5 has four cores
# Fewer threads than some that were so much slower than the best are not tried: speed has one peak.
GIVE_UP = 0.8
# Speeds so close are equal: fewer threads leave a core to the house, no repack leaves it memory.
EQUAL = 0.98
HOT_C = 78.0  # above it a Pi is about to be slowed; the firmware does so from 80
COOL_C = 60.0  # a start below it leaves room for some minutes of full load
FELL = 0.95  # a clock under this share of its first value fell; jitter of readings is below 1 %
_QUARTER = 4


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How long to measure; tg128 and pp512 are llama-bench's own defaults.

    Attributes:
        tg: Tokens decoded at an empty context.
        pp: Tokens read.
        repeat: Timed repetitions of both.
        depths: Tokens of context at which decode is timed besides, ascending.
        depth_tg: Tokens decoded there.
        depth_repeat: Repetitions there.
        tune_tg: Tokens decoded to compare settings.
        tune_pp: Tokens read to compare settings.
        tune_repeat: Repetitions to compare settings.
        deep: Tokens of context at which types of cache are compared.
        cool_s: Seconds to wait at most for a cool start.
    """

    tg: int = 128
    pp: int = 512
    repeat: int = 3
    depths: tuple[int, ...] = (512, 2048, 4096)
    depth_tg: int = 32
    depth_repeat: int = 2
    tune_tg: int = 16
    tune_pp: int = 64
    tune_repeat: int = 3
    deep: int = 2048  # as where the daemon compares types of cache
    cool_s: float = 300.0


FULL = Plan()
# What a daemon does between prompts: about a minute at 8 tok/s.
QUICK = Plan(repeat=2, depths=(512,), depth_repeat=1, tune_repeat=2, tune_pp=32, cool_s=0.0)


class Setting(NamedTuple):
    """What takes a load to change."""

    repack: bool
    kv_type: KvType = "f16"


class Sense(NamedTuple):
    """What the board felt at some moment; None is unknown.

    Attributes:
        temp_c: Degrees C of the processor.
        khz: Its clock.
    """

    temp_c: float | None = None
    khz: int | None = None


class Rate(NamedTuple):
    """Tok/s of some repetitions.

    Attributes:
        tps: The median.
        error: Standard error of their mean; 0 of a single one.
    """

    tps: float
    error: float


class Tuned(NamedTuple):
    """What one load showed.

    Attributes:
        setting: Of the load.
        decode: Tok/s by number of threads.
        prefill: As above.
        deep: Of decode with the best number of threads behind many tokens of context; None where
            one type of cache is tried alone, since only there types differ.
    """

    setting: Setting
    decode: Mapping[int, float]
    prefill: Mapping[int, float]
    deep: Depth | None = None

    @property
    def speeds(self) -> tuple[float, float]:
        """Tok/s of decode and prefill by which loads are compared."""
        decode = max(self.decode.values()) if self.deep is None else self.deep.tps
        return decode, max(self.prefill.values())


def thread_counts(cores: int) -> tuple[int, ...]:
    """Numbers of threads worth trying, the most first."""
    if cores <= FEW_CORES:
        return tuple(range(max(1, cores), 0, -1))
    doubled = {2**power for power in range(cores.bit_length())}
    return tuple(sorted({cores, *doubled}, reverse=True))


def next_threads(counts: Sequence[int], speeds: Mapping[int, float]) -> int | None:
    """The number to try now; None when all that may be best were tried.

    Args:
        counts: See `thread_counts`.
        speeds: Tok/s of those tried.
    """
    tried = [count for count in counts if count in speeds]
    if tried and speeds[tried[-1]] < GIVE_UP * max(speeds.values()):
        return None
    return next((count for count in counts if count not in speeds), None)


def best_threads(speeds: Mapping[int, float]) -> int:
    """The fewest threads whose speed equals the best one."""
    most = max(speeds.values())
    return min(count for count, speed in speeds.items() if speed >= EQUAL * most)


def best_setting(tried: Sequence[Tuned]) -> Tuned:
    """The load that decodes fastest; where several do, the one that reads fastest.

    Of equals in both, one without repacking, which takes no memory of its own; and of these one
    with f16, which changes no numbers.
    """
    even = fastest(tried, lambda tuned: tuned.speeds)
    return min(even, key=lambda tuned: (*tuned.setting, -tuned.speeds[0]))


def fastest(tried: Sequence[T], speeds: Callable[[T], tuple[float, float]]) -> list[T]:
    """Those that decode as fast as the best, and of these those that read as fast as the best.

    Args:
        tried: At least one.
        speeds: Tok/s of decode and of prefill of one.
    """
    decode = EQUAL * max(speeds(each)[0] for each in tried)
    fast = [each for each in tried if speeds(each)[0] >= decode]
    reading = EQUAL * max(speeds(each)[1] for each in fast)
    return [each for each in fast if speeds(each)[1] >= reading]


def rate(tokens: int, times_ms: Iterable[float]) -> Rate:
    """Tok/s from wall times.

    Args:
        tokens: Of each repetition.
        times_ms: Milliseconds of each, at least one; a clock that stands still counts 1 us.
    """
    speeds = [tokens / max(ms / 1e3, 1e-6) for ms in times_ms]
    error = stdev(speeds) / sqrt(len(speeds)) if len(speeds) > 1 else 0.0
    return Rate(median(speeds), error)


def tries(tried: Iterable[Tuned]) -> tuple[Try, ...]:
    """All of it as rows to keep."""
    return tuple(row for tuned in tried for row in _rows(tuned))


def _rows(tuned: Tuned) -> Iterator[Try]:
    for kind, speeds in (("tg", tuned.decode), ("pp", tuned.prefill)):
        for threads, speed in sorted(speeds.items()):
            yield Try(*tuned.setting, kind, threads, speed)
    if tuned.deep is not None:
        threads = best_threads(tuned.decode)
        yield Try(*tuned.setting, "tg", threads, tuned.deep.tps, tuned.deep.tokens)


def depths_within(plan: Plan, context: int) -> tuple[int, ...]:
    """The depths that leave room to decode in a context of so many tokens."""
    return tuple(depth for depth in plan.depths if depth + plan.depth_tg <= context)


def curve(at_empty: float, found: Iterable[tuple[int, float]]) -> tuple[Depth, ...]:
    """Decode at all depths, the empty one first."""
    return (Depth(0, at_empty), *(Depth(tokens, tps) for tokens, tps in found))


def is_hot(felt: Sequence[Sense]) -> bool:
    """Whether figures are not to be trusted: it began or ended too hot, or the clock fell.

    Args:
        felt: From the start to the end, taken under load but for the first one.
    """
    warm = [sense.temp_c for sense in felt if sense.temp_c is not None]
    if warm and max(warm[0], warm[-1]) > HOT_C:
        return True
    clock = [sense.khz for sense in felt[1:] if sense.khz is not None]
    part = max(1, len(clock) // _QUARTER)
    return bool(clock) and median(clock[-part:]) < FELL * median(clock[:part])
