"""What a running answer loses while a long prompt is read beside it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

from bench import synthetic
from bench.direct import Direct
from bench.peer import prompts
from bench.report import Figure, Options, Result, Series, judged, median, run, told
from edged.engine.frames import Delta, Done, Load, Message, Prefill

if TYPE_CHECKING:
    from collections.abc import Iterable

SHAPE: Final = "overhead"
THREADS: Final = min(4, os.cpu_count() or 1)
SHARES: Final = (0.25, 0.5, 0.75)
READ: Final = 384  # tokens of the long prompt, without its turn
ALONE: Final = 48  # tokens decoded before it comes
ENDLESS: Final = 100_000
ROUNDS: Final = 2
FULL_ROUNDS: Final = 6
# The share is kept by a plan made from the steps before, on a machine that others use too.
SLACK: Final = 0.85


def measure(options: Options) -> Result:
    """Decode rate of one stream before and while a long prompt is read, for three shares."""
    path = str(synthetic.cached(SHAPE))
    kept: dict[float, list[float]] = {share: [] for share in SHARES}
    reading: dict[float, list[float]] = {share: [] for share in SHARES}
    for number in range(FULL_ROUNDS if options.full else ROUNDS):
        for share in SHARES:
            with Direct(_load(path, share)) as worker:
                ratio, rate = _round(worker, number)
            kept[share].append(ratio)
            reading[share].append(rate)
    return Result(
        figures=tuple(_figures(kept, reading)),
        conditions={
            "model": f"made up, {SHAPE}",
            "threads": THREADS,
            "long prompt": f"about {READ} tokens",
            "streams": 2,
        },
        series=tuple(
            Series(name=f"share {share}", unit="of its rate alone", values=tuple(values))
            for share, values in kept.items()
        ),
    )


def _figures(kept: dict[float, list[float]], reading: dict[float, list[float]]) -> Iterable[Figure]:
    for share in SHARES:
        goal = f">= {SLACK * (1 - share):.3f}"
        yield judged(f"share {share}: a stream keeps", median(kept[share]), goal)
        yield told(f"share {share}: the prompt is read at", median(reading[share]), "tok/s")


def _load(path: str, share: float) -> Load:
    fields: dict[str, Any] = {"threads": THREADS, "threads_batch": THREADS, "prefill_chunk": 512}
    return Load(path=path, n_ctx=4096, streams=2, prefill_share=share, **fields)


def _round(worker: Direct, number: int) -> tuple[float, float]:
    """The rate while it was read over the rate before, and tok/s of the reading."""
    # Once through everything, so that the worker knows what its steps cost.
    worker.answer(worker.ask(_user(f"warm {number}"), max_tokens=8))
    running = worker.ask(_user(f"{number}"), max_tokens=ENDLESS)
    worker.say(running)
    alone = _rate(worker, running.key, ALONE)
    long = worker.ask(_user(prompts.text(number, READ)), max_tokens=1)
    worker.say(long)
    began = time.monotonic()
    tokens, first, last, read = 0, 0.0, began, 0
    while True:
        frame = worker.hear()
        if isinstance(frame, Prefill) and frame.key == long.key:
            read = frame.done
        if isinstance(frame, Delta) and frame.key == running.key:
            tokens, last = tokens + frame.tokens, time.monotonic()
            first = first or last
        if isinstance(frame, Done) and frame.key == long.key:
            break
    beside = (tokens - 1) / (last - first) if last > first else 0.0
    return beside / alone, read / (time.monotonic() - began)


def _rate(worker: Direct, key: str, count: int) -> float:
    tokens, began, last = 0, 0.0, 0.0
    while tokens < count:
        frame = worker.hear()
        if isinstance(frame, Delta) and frame.key == key:
            tokens, last = tokens + frame.tokens, time.monotonic()
            began = began or last
    return (tokens - 1) / (last - began)


def _user(text: str) -> Message:
    return Message(role="user", content=text)


if __name__ == "__main__":
    raise SystemExit(run("mixing", measure))
