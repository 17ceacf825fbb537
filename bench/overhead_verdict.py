"""What pairs of runs prove about the cost of edged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bench.report import Figure, Result, Series, judged, median, told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.asking import Asked
    from bench.tasks import Run

RATIO_GOAL: Final = ">= 0.98"
DELAY_GOAL: Final = "<= 10"  # ms


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """The same answer twice, one right after the other.

    Attributes:
        alone: By the bare loop.
        alone_cpu_s: CPU seconds the bare loop took.
        asked: Over MQTT.
        worker_cpu_s: CPU seconds the daemon's worker took.
        daemon_cpu_s: CPU seconds the daemon itself took.
    """

    alone: Run
    alone_cpu_s: float
    asked: Asked
    worker_cpu_s: float
    daemon_cpu_s: float

    @property
    def ratio(self) -> float:
        """The client's rate over the bare one."""
        return self.asked.tokens_per_second / self.alone.tokens_per_second

    @property
    def own_ratio(self) -> float:
        """The rate the reply tells over the bare one."""
        return self.asked.timing("predicted_per_second") / self.alone.tokens_per_second


def judge(
    pairs: Sequence[Pair],
    short: Sequence[Asked],
    tokens: int,
    conditions: dict[str, str | float],
) -> Result:
    """Turn what was measured into figures.

    Args:
        pairs: Long answers of `tokens` tokens, for the rate.
        short: Short ones after an idle moment, for the delay.
        tokens: As many as each long answer must have.
        conditions: What held.
    """
    return Result(
        figures=(*_rates(pairs), _shortest(pairs, tokens), *_cpu(pairs), *_delays(pairs, short)),
        conditions={**conditions, "pairs": len(pairs), "short prompts": len(short)},
        notes=notes(pairs),
        series=(
            _series("bare loop", "tok/s", [pair.alone.tokens_per_second for pair in pairs]),
            _series("over MQTT", "tok/s", [pair.asked.tokens_per_second for pair in pairs]),
            _series("delay before the first delta", "ms", [asked.added_ms for asked in short]),
        ),
    )


def _rates(pairs: Sequence[Pair]) -> tuple[Figure, ...]:
    ratios = [pair.ratio for pair in pairs]
    bare = [pair.alone.tokens_per_second for pair in pairs]
    own = median(pair.own_ratio for pair in pairs)
    seen = median(pair.asked.tokens_per_second for pair in pairs)
    return (
        judged("decode over MQTT / bare loop, median", median(ratios), RATIO_GOAL),
        told("lowest ratio of a pair", min(ratios)),
        told("highest ratio of a pair", max(ratios)),
        told("decode by the reply's timings / bare loop", own),
        told("bare loop", median(bare), "tok/s"),
        told("spread of the bare loop", 100 * (max(bare) / min(bare) - 1), "%"),
        told("over MQTT, first delta to reply", seen, "tok/s"),
    )


def _shortest(pairs: Sequence[Pair], tokens: int) -> Figure:
    counts = [number for pair in pairs for number in (pair.alone.tokens, pair.asked.tokens)]
    return judged("tokens in the shortest answer", min(counts), f"== {tokens}")


def _cpu(pairs: Sequence[Pair]) -> tuple[Figure, ...]:
    """CPU time counts no waiting for a neighbour, so it tells edged's share on a busy machine."""
    worker = median(pair.worker_cpu_s / pair.alone_cpu_s for pair in pairs)
    daemon = median(1e3 * pair.daemon_cpu_s / pair.asked.tokens for pair in pairs)
    return (
        told("CPU time of the worker / bare loop", worker),
        told("CPU time of the daemon", daemon, "ms per token"),
    )


def _delays(pairs: Sequence[Pair], short: Sequence[Asked]) -> tuple[Figure, ...]:
    delays = [asked.added_ms for asked in short]
    after_long = median(pair.asked.added_ms for pair in pairs)
    return (
        judged("PUBLISH to first delta less engine's TTFT", median(delays), DELAY_GOAL, "ms"),
        told("same, 95th percentile", percentile(delays, 0.95), "ms"),
        told("same, before the long answers", after_long, "ms"),
    )


def _series(name: str, unit: str, values: list[float]) -> Series:
    return Series(name=name, unit=unit, values=tuple(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


WRONGS: Final[tuple[tuple[str, Callable[[Pair], bool]], ...]] = (
    (
        "the two sides wrote different text, so they did not do the same work",
        lambda pair: pair.alone.text != pair.asked.reply.get("text"),
    ),
    (
        "the two sides read prompts of different length",
        lambda pair: pair.alone.prompt_tokens != pair.asked.prompt_tokens,
    ),
    (
        "the deltas of an answer did not join to its text",
        lambda pair: pair.asked.streamed != pair.asked.reply.get("text"),
    ),
    (
        "an answer ended before its limit",
        lambda pair: pair.asked.reply.get("finish_reason") != "length",
    ),
)


def notes(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """What makes a pair unequal, if anything does."""
    return tuple(text for text, wrong in WRONGS if any(wrong(pair) for pair in pairs))
