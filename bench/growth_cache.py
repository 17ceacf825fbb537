"""First token and rate of a real worker, by what its cache holds and by how deep a context is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench import synthetic
from bench.direct import Direct
from bench.growth_verdict import Answer
from edged.engine.frames import Load, Message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.engine.frames import Done

SHAPE: Final = "one-layer"
PREFIXES: Final = (1, 10, 100, 1000)
DEPTHS: Final = (64, 1024, 4096, 8000)
ASKS: Final = 9  # at each size; the middle one counts
TOKENS: Final = 24
QUESTION: Final = "Which window may be open?"


def by_prefixes() -> tuple[list[Answer], int]:
    """Ask ever new prompts; answers at each size, and how many of them the cache has room for."""
    with Direct(_load(2048)) as worker:
        answers: list[Answer] = []
        asked = 0
        for size in PREFIXES:
            while asked < size - 1:
                _ask(worker, _house(asked), QUESTION, 1)
                asked += 1
            for _ in range(ASKS):
                answers.append(_answer(size, _ask(worker, _house(asked), QUESTION, TOKENS)))
                asked += 1
        return answers, worker.ready.n_cells // (answers[-1].read + TOKENS)


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
    return Load(path=str(model), n_ctx=context, threads=1, threads_batch=1)


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
