"""What pairs of runs prove about edged beside llama.cpp's own programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.others import QUIET
from bench.peer.wrongs import notes, undisturbed
from bench.report import Figure, Result, Series, judged, median, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.peer.pairs import DiskPair, Measured, Pair, RatePair, StreamPair, WarmPair

RATE_GOAL: Final = ">= 0.98"
STREAMS_GOAL: Final = ">= 0.95"
SERVER_TTFT_GOAL: Final = "<= 1"
ALONE_TTFT_GOAL: Final = "<= 1.1"
DISK_GOAL: Final = "<= 200"  # ms beyond what memory may take
ALONE_SHARE: Final = 1.1


def judge(measured: Measured, conditions: dict[str, str | float]) -> Result:
    """Turn what was measured into figures.

    Args:
        measured: The pairs of every kind.
        conditions: What held.
    """
    counts = {
        "rate pairs": len(measured.rates),
        "pairs of simultaneous prompts": len(measured.streams),
        "warm pairs": len(measured.warm),
        "restarts": len(measured.disk),
    }
    return Result(
        figures=(
            *_rates(measured.rates),
            *_streams(measured.streams),
            *_warm(undisturbed(measured.warm)),
            *_disk(undisturbed(measured.disk)),
            judged("answers cut short", sum(measured.short), "== 0"),
            told("pairs in which others computed", _disturbed(measured.pairs), "%"),
        ),
        conditions={**conditions, **counts},
        notes=notes(measured),
        series=(*_rate_series(measured.rates), *_other_series(measured)),
    )


def _disturbed(pairs: Sequence[Pair]) -> float | None:
    return 100 * sum(pair.others >= QUIET for pair in pairs) / len(pairs) if pairs else None


def _rates(pairs: Sequence[RatePair]) -> Iterable[Figure]:
    for name, of, group in _kinds(pairs):
        yield from _rates_of(undisturbed(group), name, of)


def _kinds(pairs: Sequence[RatePair]) -> Iterable[tuple[str, str, list[RatePair]]]:
    """Pairs of one number of threads of one kind, with the kind's name and what is added to it."""
    for threads in sorted({pair.row.n_threads for pair in pairs}):
        for name, reads in (("tg128", False), ("pp512", True)):
            group = [p for p in pairs if p.row.n_threads == threads and p.reads is reads]
            yield name, f", {threads} threads", group


def _rates_of(pairs: Sequence[RatePair], name: str, of: str) -> tuple[Figure, ...]:
    ratios = [pair.ratio for pair in pairs]
    bench = median(pair.row.tokens_per_second for pair in pairs)
    return (
        judged(f"{name} over MQTT / llama-bench{of}", median(ratios), RATE_GOAL),
        told(f"lowest {name} ratio of a pair{of}", min(ratios, default=None)),
        told(f"highest {name} ratio of a pair{of}", max(ratios, default=None)),
        told(f"{name} over MQTT{of}", median(pair.tps for pair in pairs), "tok/s"),
        told(f"{name} of llama-bench{of}", bench, "tok/s"),
        told(f"cores of {name} over MQTT{of}", median(pair.cores for pair in pairs)),
    )


def _streams(pairs: Sequence[StreamPair]) -> Iterable[Figure]:
    for count in sorted({pair.streams for pair in pairs}):
        group = undisturbed([pair for pair in pairs if pair.streams == count])
        name = f"{count} prompts at once"
        ratio = median(pair.ratio for pair in group)
        yield judged(f"{name}, over MQTT / llama-server -np {count}", ratio, STREAMS_GOAL)
        yield told(f"{name} over MQTT", median(pair.asked_tps for pair in group), "tok/s")
        yield told(f"{name} of llama-server", median(pair.served_tps for pair in group), "tok/s")


def _warm(pairs: Sequence[WarmPair]) -> tuple[Figure, ...]:
    served = median(pair.asked.ttft_ms / pair.served.ttft_ms for pair in pairs)
    alone = median(pair.asked.ttft_ms / pair.alone.ttft_ms for pair in pairs)
    return (
        judged("warm TTFT over MQTT / llama-server with cache_prompt", served, SERVER_TTFT_GOAL),
        judged("warm TTFT over MQTT / the question alone", alone, ALONE_TTFT_GOAL),
        told("warm TTFT over MQTT", median(pair.asked.ttft_ms for pair in pairs), "ms"),
        told("warm TTFT of llama-server", median(pair.served.ttft_ms for pair in pairs), "ms"),
        told("the question alone, bare loop", median(pair.alone.ttft_ms for pair in pairs), "ms"),
        told("tokens read for it over MQTT", median(pair.asked.read_tokens for pair in pairs)),
        told("tokens read for it by llama-server", median(p.served.read_tokens for p in pairs)),
    )


def _disk(pairs: Sequence[DiskPair]) -> tuple[Figure, ...]:
    beyond = median(p.asked.ttft_ms - ALONE_SHARE * p.alone.ttft_ms for p in pairs)
    return (
        judged(f"TTFT after a restart less {ALONE_SHARE} x alone", beyond, DISK_GOAL, "ms"),
        told("TTFT after a restart", median(pair.asked.ttft_ms for pair in pairs), "ms"),
        told("tokens known after a restart", median(p.asked.cached_tokens for p in pairs)),
        told("restart to persona ready", median(pair.ready_s for pair in pairs), "s"),
    )


def _rate_series(pairs: Sequence[RatePair]) -> Iterable[Series]:
    for name, of, group in _kinds(pairs):
        unit = "tok/s read" if name == "pp512" else "tok/s decoded"
        yield _series(f"{name} over MQTT{of}", unit, (pair.tps for pair in group))
        bench = (pair.row.tokens_per_second for pair in group)
        yield _series(f"{name} of llama-bench{of}", unit, bench)


def _other_series(measured: Measured) -> Iterable[Series]:
    for count in sorted({pair.streams for pair in measured.streams}):
        group = [pair for pair in measured.streams if pair.streams == count]
        unit = "tok/s of all"
        yield _series(f"{count} at once over MQTT", unit, (p.asked_tps for p in group))
        yield _series(f"{count} at once, llama-server", unit, (p.served_tps for p in group))
    warm = measured.warm
    yield _series("warm TTFT over MQTT", "ms", (pair.asked.ttft_ms for pair in warm))
    yield _series("warm TTFT of llama-server", "ms", (pair.served.ttft_ms for pair in warm))
    yield _series("the question alone", "ms", (pair.alone.ttft_ms for pair in warm))
    yield _series("TTFT after a restart", "ms", (pair.asked.ttft_ms for pair in measured.disk))


def _series(name: str, unit: str, values: Iterable[float]) -> Series:
    return Series(name=name, unit=unit, values=tuple(values))
