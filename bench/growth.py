"""What grows with use and what must not: prefixes kept, depth of a context, requests waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench import growth_cache
from bench.growth_queue import Queue
from bench.growth_verdict import judge
from bench.report import Options, Result, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.growth_verdict import Queued

WAITING: Final = (10, 10_000)
FULL_WAITING: Final = (10, 100, 1000, 10_000)
CLIENTS: Final = (1, 100, 0)


def measure(options: Options) -> Result:
    """First token, rate and the dispatcher's time by size."""
    sizes = FULL_WAITING if options.full else WAITING
    queue = [cost for clients in CLIENTS for cost in _costs(sizes, clients)]
    prefixes, room = growth_cache.by_prefixes()
    conditions: dict[str, str | float] = {
        "model": "made up, one layer of the Qwen3-30B-A3B shape, vocabulary 1,024",
        "threads": 1,
        "asks at each size": growth_cache.ASKS,
    }
    return judge(prefixes, room, list(growth_cache.by_depth()), queue, conditions)


def _costs(sizes: Sequence[int], clients: int) -> Iterator[Queued]:
    """Of dispatchers with so many waiting, an event of each in turn."""
    queues = [Queue(size, clients).costs() for size in sizes]
    return (cost for turn in zip(*queues, strict=True) for cost in turn)


if __name__ == "__main__":
    raise SystemExit(run("growth", measure))
