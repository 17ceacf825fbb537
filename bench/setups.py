"""What the defaults were chosen by: cache type, flash attention, repacking and threads.

Each way to set up the child runs in one of its own; they answer in turn, so that what else the
machine does falls on all of them. As shipped is f16 with flash attention, which is what
`kv_type: auto` loads first and leaves only for what was clearly faster on the board itself.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import psutil

from bench import synthetic
from bench.direct import Direct
from bench.peer import prompts
from bench.report import Options, Result, run
from bench.setups_verdict import SHIPPED, Measured, judge
from edged.engine.frames import Load, Message

if TYPE_CHECKING:
    from collections.abc import Mapping

SHAPE: Final = "overhead"
THREADS: Final = min(4, os.cpu_count() or 1)
DEPTH: Final = 2000  # tokens already in the context, about
READ: Final = 512
DECODED: Final = 48
ROUNDS: Final = 3
FULL_ROUNDS: Final = 9
MIB: Final = 2**20
DEEP: Final = prompts.text(1_000_000, DEPTH)

SETUPS: Final[Mapping[str, Mapping[str, object]]] = {
    SHIPPED: {},
    "f16 without flash attention": {"flash_attention": "off"},
    "q8_0 cache": {"kv_type": "q8_0", "flash_attention": "on"},
    "weights not repacked": {"repack": False},
    "one thread fewer to decode": {"threads": max(1, THREADS - 1)},
}


def measure(options: Options) -> Result:
    """Decode at an empty and a filled context, and read, in each way to set the child up."""
    path = str(synthetic.cached(SHAPE))
    measured: list[Measured] = []
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(Direct(_load(path, fields)))
            for name, fields in SETUPS.items()
        }
        for number in range(FULL_ROUNDS if options.full else ROUNDS):
            measured += [_round(name, worker, number) for name, worker in workers.items()]
    conditions: dict[str, str | float] = {
        "model": f"made up, {SHAPE}",
        "threads": THREADS,
        "depth": f"0 and about {DEPTH} tokens",
        "read": f"about {READ} tokens at once",
    }
    return judge(measured, conditions)


def _load(path: str, fields: Mapping[str, object]) -> Load:
    base: dict[str, object] = {
        "path": path,
        "n_ctx": 4096,
        "n_batch": READ,
        "prefill_chunk": READ,
        "threads": THREADS,
        "threads_batch": THREADS,
    }
    return Load(**{**base, **fields})  # type: ignore[arg-type]


def _round(name: str, worker: Direct, number: int) -> Measured:
    # Another beginning each round: nothing of it is cached.
    unread = prompts.text(number, READ - prompts.turn_tokens())
    read, shallow, deep = (
        worker.answer(worker.ask(Message(role="user", content=text), max_tokens=count))[0]
        for text, count in ((unread, 1), (f"{number}", DECODED), (DEEP, DECODED))
    )
    memory = psutil.Process(worker.pid).memory_full_info()
    return Measured(
        setup=name,
        read=(read.prompt_tokens - read.cached_tokens) / read.prompt_ms * 1e3,
        decode=_rate(shallow.completion_tokens, shallow.predicted_ms),
        deep=_rate(deep.completion_tokens, deep.predicted_ms),
        cache_mib=worker.ready.kv_bytes / MIB,
        own_mib=memory.uss / MIB,
        load_s=worker.ready.load_ms / 1e3,
    )


def _rate(tokens: int, ms: float) -> float:
    return (tokens - 1) / ms * 1e3 if ms else 0.0


if __name__ == "__main__":
    raise SystemExit(run("setups", measure))
