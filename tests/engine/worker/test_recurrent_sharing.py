"""The cache where nothing can be cut: whole states, kept at the end of what prompts share."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from edged.engine.frames import Cancel, Generate, Learn, Learned, Restore, Save
from edged.engine.worker.native import llama
from tests.engine.harness import load
from tests.engine.worker.rig import Rig, done, system, text, turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SYSTEM = "You are the voice of a small house. Answer in one sentence. " * 2
QUESTIONS = ("Is the kitchen warm?", "Is the window open?", "And now?")


@pytest.fixture(params=["tiny-mamba2", "tiny-hybrid"])
def rig(request: pytest.FixtureRequest, tiny: Mapping[str, Path]) -> Iterator[Rig]:
    with Rig() as rig:
        yield rig.open(load(path=str(tiny[request.param]), streams=2, prefill_chunk=64))


def asked(question: str, key: str = "k", words: str = SYSTEM) -> Generate:
    return Generate(
        key=key,
        messages=(system(words), turn(question)),
        max_tokens=12,
        temperature=0.0,
        repeat_penalty=1.0,
    )


def anew(rig: Rig, request: Generate) -> str:
    rig.forget()
    said, sums = rig.answer(request)
    assert sums.cached_tokens == 0
    return said


def test_questions_share_the_systems_words_as_a_whole(rig: Rig) -> None:
    said = {question: anew(rig, asked(question)) for question in QUESTIONS}
    boundary = rig.desk._maker._prompter.beginning([system(SYSTEM)])
    for question in QUESTIONS * 2:
        again, sums = rig.answer(asked(question))
        assert again == said[question]
        assert sums.cached_tokens == len(boundary)


def test_other_words_share_nothing(rig: Rig) -> None:
    rig.answer(asked(QUESTIONS[0]))
    assert rig.answer(asked(QUESTIONS[0], words="Other words."))[1].cached_tokens == 0


def test_one_that_comes_meanwhile_waits_for_the_state(rig: Rig) -> None:
    said = {question: anew(rig, asked(question)) for question in QUESTIONS[:2]}
    rig.forget()
    rig.say(*(asked(question, key=question) for question in said))
    frames = rig.finish()
    sums = [done(frames, question) for question in said]
    assert [s.cached_tokens > 0 for s in sums] == [False, True]
    assert {question: text(frames, question) for question in said} == said


def test_a_prompt_that_was_cut_off_leaves_no_half_state(rig: Rig) -> None:
    request = asked(QUESTIONS[0])
    said = anew(rig, request)
    rig.forget()
    rig.desk._pacing.limit = 8
    rig.say(request)
    rig.step(2)
    rig.say(Cancel(key="k"))
    assert done(rig.finish()).finish_reason == "cancelled"
    rig.desk._pacing.limit = 64  # chunks of another size add up in another order
    assert rig.answer(request)[0] == said


def test_more_states_than_are_kept(rig: Rig) -> None:
    said = anew(rig, asked(QUESTIONS[0]))
    for number in range(20):
        rig.answer(asked("Well?", words=f"This is house {number}. "))
    kept = rig.desk._context.sequences - rig.desk._context.runs
    assert 1 < rig.desk._prefixes.kept <= kept
    again, sums = rig.answer(asked(QUESTIONS[0]))
    assert sums.cached_tokens == 0
    # Attention adds up in the order of its cells, and these are others than before.
    hybrid = llama.llama_model_is_hybrid(rig.desk._model.native)
    assert again[:8] == said[:8] if hybrid else again == said


def test_a_state_from_a_file_answers_as_it_did(rig: Rig) -> None:
    said = anew(rig, asked(QUESTIONS[0]))
    rig.forget()
    messages = (system(SYSTEM),)
    rig.say(Learn(key="prefix/p", messages=messages))
    learned = rig.finish()[-1]
    assert isinstance(learned, Learned)
    file = os.memfd_create("state")
    os.ftruncate(file, learned.state_bytes)
    socket.send_fds(rig.side, [b"x"], [file])
    rig.say(Save(key="prefix/p"))
    rig.finish()
    rig.forget()
    assert anew(rig, asked(QUESTIONS[0])) == said
    rig.forget()
    socket.send_fds(rig.side, [b"x"], [file])
    os.close(file)
    size = learned.state_bytes
    rig.say(Restore(key="prefix/p", messages=messages, offset=0, size=size))
    assert isinstance(rig.finish()[-1], Learned)
    again, sums = rig.answer(asked(QUESTIONS[0]))
    assert (again, sums.cached_tokens) == (said, learned.tokens)
