"""A prompt whose beginning is held is answered as if it had been read anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.engine.frames import Cancel, Delta, Done, FromChild, Generate, Message
from tests.engine.harness import POCKET
from tests.engine.worker.test_loop import Bench, bench, raw

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.skipif(not POCKET.exists(), reason="no pocket model")
__all__ = ["bench", "raw"]  # fixtures of the loop's own tests

SYSTEM = "You are the voice of a small house. Answer in one short sentence. " * 6
QUESTIONS = (
    "Is the kitchen warm?",
    "Is the kitchen window open?",
    "Tell me about the garden.",
    "What can you do?",
)


def asked(question: str, *, system: str = SYSTEM, key: str = "k") -> Generate:
    turns = (Message(role="system", content=system), Message(role="user", content=question))
    return Generate(key=key, messages=turns, max_tokens=24, temperature=0.0)


def text(frames: Sequence[FromChild]) -> str:
    return "".join(frame.text for frame in frames if isinstance(frame, Delta))


def answer(bench: Bench, request: Generate) -> tuple[str, Done]:
    bench.heard()
    bench.say(request)
    bench.worker._attend(1.0)
    bench.worker._answer(request)
    bench.worker._request = None
    frames = bench.heard()
    done = frames[-1]
    assert isinstance(done, Done)
    return text(frames), done


def anew(bench: Bench, request: Generate) -> str:
    """The answer of a context that holds nothing."""
    bench.worker._held.trim(0)
    said, done = answer(bench, request)
    assert done.cached_tokens == 0
    return said


def test_the_second_prompt_reads_only_what_differs(bench: Bench) -> None:
    said = {question: anew(bench, asked(question)) for question in QUESTIONS}
    for question in (*QUESTIONS, *reversed(QUESTIONS)):
        again, done = answer(bench, asked(question))
        assert again == said[question]
        assert done.cached_tokens > 60
        assert done.cached_tokens < done.prompt_tokens


def test_the_same_prompt_reads_its_last_token_again(bench: Bench) -> None:
    _, first = answer(bench, asked(QUESTIONS[0]))
    _, second = answer(bench, asked(QUESTIONS[0]))
    assert (first.cached_tokens, second.cached_tokens) == (0, first.prompt_tokens - 1)


def test_a_conversation_goes_on_behind_its_own_answer(bench: Bench) -> None:
    first = asked(QUESTIONS[2])
    said, done = answer(bench, first)
    turns = (
        *first.messages,
        Message(role="assistant", content=said),
        Message(role="user", content="And the kitchen?"),
    )
    longer = Generate(key="k", messages=turns, max_tokens=24, temperature=0.0)
    on, next_done = answer(bench, longer)
    assert next_done.cached_tokens >= done.prompt_tokens
    assert on == anew(bench, longer)


def test_nothing_shared_is_nothing_cached(bench: Bench) -> None:
    answer(bench, asked(QUESTIONS[0]))
    _, done = answer(bench, asked(QUESTIONS[0], system="Other words entirely."))
    assert done.cached_tokens < 12  # the template's own first words at most


def test_a_prompt_cancelled_while_it_is_read_leaves_no_half(bench: Bench) -> None:
    request = asked(QUESTIONS[0])
    whole = anew(bench, request)
    bench.worker._held.trim(0)
    bench.say(request)
    bench.worker._attend(1.0)
    bench.say(Cancel(key="k"))
    bench.worker._answer(request)
    bench.worker._request = None
    assert bench.heard()[-1].finish_reason == "cancelled"  # type: ignore[union-attr]
    held = len(bench.worker._held.tokens)
    again, done = answer(bench, request)
    assert again == whole
    assert done.cached_tokens == held
