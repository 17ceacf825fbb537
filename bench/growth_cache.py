"""First token and rate of a real worker, by what its cache holds and by how deep a context is."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from bench import synthetic
from bench.direct import Direct
from bench.growth_verdict import Answer, Pair
from bench.others import Others, wait_quiet
from edged.engine.frames import Load, Message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.engine.frames import Done

SHAPE: Final = "one-layer"
PREFIXES: Final = (10, 100, 1000)
DEPTHS: Final = (64, 1024, 4096, 8000)
ASKS: Final = 9  # at each size; the middle one counts
TOKENS: Final = 24
PREFIX_BYTES: Final = 256 << 20  # the default of engine.prefix_cache_mib
QUESTION: Final = "Which window may be open?"


def by_prefixes() -> tuple[list[Pair], int]:
    """Ask new prompts of a worker that has read many and of one that has read none, in turn.

    Returns:
        The answers at each size, and how many such prompts the cache has room for.
    """
    pairs: list[Pair] = []
    asked = count()
    with Direct(_load(2048)) as many:
        for size, before in zip(PREFIXES, (0, *PREFIXES), strict=False):
            for _ in range(size - before - ASKS if before else size):
                _ask(many, _house(next(asked)), QUESTION, 1)
            with Direct(_load(2048)) as few:
                _ask(few, _house(next(asked)), QUESTION, 1)
                pairs += [_pair(size, few, many, asked) for _ in range(ASKS)]
        outside = PREFIX_BYTES * many.ready.n_cells // many.ready.kv_bytes
        return pairs, (many.ready.n_cells + outside) // (pairs[-1].many.read + TOKENS)


def _pair(size: int, few: Direct, many: Direct, asked: Iterator[int]) -> Pair:
    wait_quiet()
    others = Others()
    first, second = (
        _answer(size, _ask(worker, _house(next(asked)), QUESTION, TOKENS)) for worker in (few, many)
    )
    return Pair(few=first, many=second, others=others.cores)


def by_depth() -> Iterator[Answer]:
    """Ask again and again behind what is known, at growing depth."""
    with Direct(_load(DEPTHS[-1] + 512)) as worker:
        for depth in DEPTHS:
            # A letter that no merge joins is a token.
            known = "z" * depth
            _ask(worker, known, "What do you know?", 1)
            for number in range(ASKS):
                yield _answer(depth, _ask(worker, known, f"{number}. {QUESTION}", TOKENS))


def _load(context: int) -> Load:
    model: Path = synthetic.cached(SHAPE)
    return Load(
        path=str(model), n_ctx=context, threads=1, threads_batch=1, prefix_bytes=PREFIX_BYTES
    )


def _house(number: int) -> str:
    """A system prompt that shares no beginning with any other."""
    return f"{number:04d} is the number of this house. Answer in few words and in its language."


def _ask(worker: Direct, system: str, question: str, tokens: int) -> Done:
    turns = (Message(role="system", content=system), Message(role="user", content=question))
    (done,) = worker.answer(worker.ask(*turns, max_tokens=tokens))
    return done


def _answer(size: int, done: Done) -> Answer:
    return Answer(
        size=size,
        ttft_ms=done.ttft_ms,
        read=done.prompt_tokens - done.cached_tokens,
        rate=(done.completion_tokens - 1) / done.predicted_ms * 1e3,
    )
