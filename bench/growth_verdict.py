"""What measurements at growing size prove: what should be flat is flat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bench.others import QUIET
from bench.report import Figure, Result, Series, judged, median, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PREFIX_GOAL: Final = "<= 1.2"  # TTFT of an unknown prompt, the most prefixes over the fewest
QUEUE_GOAL: Final = "<= 2"  # time of an event, the longest queue over the shortest
AGAIN_GOAL: Final = "<= 1.05"  # tokens read of a second question, the deepest over the least deep


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the dispatcher.

    Attributes:
        event: Its kind.
        waiting: Requests waiting.
        clients: How many clients they are from; 0: each from another one.
        us: Microseconds it took.
    """

    event: str
    waiting: int
    clients: int
    us: float


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the worker.

    Attributes:
        size: Of what grows: prompts asked before, or tokens known.
        ttft_ms: From the request to the first token.
        read: Prompt tokens that were read, not cached.
        rate: Decoded tokens per second.
    """

    size: int
    ttft_ms: float
    read: int
    rate: float


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two answers to prompts that were not known, one right after the other.

    Attributes:
        few: Of a worker that had read a few prompts.
        many: Of one that had read as many as its size says.
        others: Cores that processes took which are not of the bench.
    """

    few: Answer
    many: Answer
    others: float = 0.0


def judge(
    prefixes: Sequence[Pair],
    room: int,
    depths: Sequence[Answer],
    queue: Sequence[Queued],
    conditions: dict[str, str | float],
) -> Result:
    """Turn what was measured into figures.

    Args:
        prefixes: To prompts that were not known, after few and after many others.
        room: How many such prompts the cache can hold.
        depths: To second questions, by how much they have in common with the first.
        queue: Events of the dispatcher.
        conditions: What held.
    """
    few, many = [pair.few for pair in prefixes], [pair.many for pair in prefixes]
    return Result(
        figures=(
            *_by_prefixes(prefixes),
            told("prompts of that kind the cache has room for", room),
            *_by_depth(depths),
            *_by_queue(queue),
        ),
        conditions=conditions,
        series=(
            Series(name="TTFT, few prompts before", unit="ms", values=_ttft(few)),
            Series(name="TTFT, ever more prompts before", unit="ms", values=_ttft(many)),
            Series(name="TTFT of a second question, ever deeper", unit="ms", values=_ttft(depths)),
        ),
    )


def _by_prefixes(pairs: Sequence[Pair]) -> Iterator[Figure]:
    largest = max(pair.many.size for pair in pairs)
    for size in dict.fromkeys(pair.many.size for pair in pairs):
        group = _undisturbed([pair for pair in pairs if pair.many.size == size])
        ttft = median(pair.many.ttft_ms / pair.few.ttft_ms for pair in group)
        rate = median(pair.many.rate / pair.few.rate for pair in group)
        yield told(
            f"TTFT of an unknown prompt, {size:,} asked before",
            median(pair.many.ttft_ms for pair in group),
            "ms",
        )
        name = f"same / a few asked before, at {size:,}"
        yield judged(name, ttft, PREFIX_GOAL) if size == largest else told(name, ttft)
        yield told(f"decode / a few asked before, at {size:,}", rate)


def _undisturbed(pairs: list[Pair]) -> list[Pair]:
    """Without those beside which others computed, if that leaves any."""
    return [pair for pair in pairs if pair.others < QUIET] or pairs


def _by_depth(answers: Sequence[Answer]) -> Iterator[Figure]:
    ttft, rate, read = (_medians(answers, field) for field in ("ttft_ms", "rate", "read"))
    for size in ttft:
        yield told(f"TTFT of a second question, {size:,} tokens known", ttft[size], "ms")
        yield told(f"decode, {size:,} tokens deep", rate[size], "tok/s")
    most, least = max(read), min(read)
    name = f"tokens read of a second question, {most:,} / {least:,} known"
    yield judged(name, _ratio(read, most, least), AGAIN_GOAL)


def _by_queue(queue: Sequence[Queued]) -> Iterator[Figure]:
    groups: dict[tuple[str, int], dict[int, list[float]]] = {}
    for one in queue:
        groups.setdefault((one.event, one.clients), {}).setdefault(one.waiting, []).append(one.us)
    for (event, clients), by_size in groups.items():
        cost = {size: median(values) for size, values in by_size.items()}
        most, least = max(cost), min(cost)
        name = f"{event}, {most:,} waiting of {_whose(clients)}"
        yield told(name, cost[most], "us")
        yield judged(f"{name} / {least:,}", _ratio(cost, most, least), QUEUE_GOAL)


def _whose(clients: int) -> str:
    return {0: "as many clients", 1: "one client"}.get(clients, f"{clients:,} clients")


def _medians(answers: Sequence[Answer], field: str) -> dict[int, float | None]:
    sizes = dict.fromkeys(answer.size for answer in answers)
    return {
        size: median(getattr(answer, field) for answer in answers if answer.size == size)
        for size in sizes
    }


def _ratio(values: dict[int, float | None], most: int, least: int) -> float | None:
    above, below = values[most], values[least]
    return above / below if above is not None and below else None


def _ttft(answers: Sequence[Answer]) -> tuple[float, ...]:
    return tuple(answer.ttft_ms for answer in answers)
