"""A prompt that goes on with a conversation is read from where the last answer ended.

What is told of earlier turns is text, so their tokens are found anew: they are those that were
written unless the model chose to spell a word in an unusual way.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from edged.engine.frames import Done, Generate, Message
from edged.engine.worker.template import Template
from tests.engine.harness import POCKET, load
from tests.engine.worker.rig import Rig, system, turn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not POCKET.exists(), reason="no pocket model")

QUESTIONS = ("Is the kitchen warm?", "And the window there?", "Turn on the light.", "Thank you!")
SYSTEM = system("You are the voice of a small house. Answer in one short sentence.")
# As of models that think: what stands before the mark is left out of all answers but the last.
FORGETFUL = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content if m.role != 'assistant' else "
    "'' }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig.open(load(n_ctx=1024))


def said(content: str) -> Message:
    return Message(role="assistant", content=content)


def talk(rig: Rig, *, temperature: float, seed: int, choices: tuple[str, ...] = ()) -> list[Done]:
    """A conversation of all questions; the sums of each turn."""
    told: list[Message] = [SYSTEM]
    sums = []
    for question in QUESTIONS:
        told.append(turn(question))
        request = Generate(
            key="k",
            messages=tuple(told),
            max_tokens=40,
            temperature=temperature,
            seed=seed,
            choices=choices,
        )
        text, done = rig.answer(request)
        told.append(said(choices[0] if choices else text))
        sums.append(done)
    return sums


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_the_next_turn_reads_only_what_is_new(rig: Rig, temperature: float, seed: int) -> None:
    sums = talk(rig, temperature=temperature, seed=seed)
    for before, after in itertools.pairwise(sums):
        # The token that ended the answer, or was cut off, is the one that was not computed.
        known = before.prompt_tokens + before.completion_tokens - 1
        assert known <= after.cached_tokens < after.prompt_tokens


def test_after_a_choice_the_whole_prompt_is_known_and_only_the_choice_is_read(rig: Rig) -> None:
    sums = talk(rig, temperature=0.0, seed=1, choices=("yes", "no"))
    for before, after in itertools.pairwise(sums):
        assert before.prompt_tokens <= after.cached_tokens + 1
        assert after.prompt_tokens - after.cached_tokens < 30


def test_a_template_that_leaves_answers_out_costs_the_answer_and_no_more(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = Template(FORGETFUL, "", "", ("<|im_start|>", "<|im_end|>"))
    monkeypatch.setattr(rig.desk._maker._prompter, "_template", template)
    sums = talk(rig, temperature=0.0, seed=1)
    for before, after in itertools.pairwise(sums):
        assert before.prompt_tokens <= after.cached_tokens < after.prompt_tokens


def test_dropping_the_oldest_turns_keeps_the_lead_in_the_cache(rig: Rig) -> None:
    rig.answer(Generate(key="k", messages=(SYSTEM, turn("One?"), said("1"), turn("Two?"))))
    lead = len(rig.desk._maker._prompter.beginning([SYSTEM]))
    _, done = rig.answer(Generate(key="k", messages=(SYSTEM, turn("Two?"), said("2"), turn("3?"))))
    assert done.cached_tokens >= lead
