"""Decisions: as likely as if each choice were read by itself, and in nobody's way."""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING

import pytest

from edged.engine.frames import Cancel, Done, Failed
from edged.engine.worker.native import llama
from edged.engine.worker.sampling import NO_TOKEN
from tests.engine.harness import ENDLESS, load, prompt
from tests.engine.worker.rig import Rig, done

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from edged.engine.frames import FromChild

ROOMS = ("kitchen", "bathroom", "living room", "living", "kitchen table")
TEXT = "Turn on the light in the kitchen. Which room is meant?"


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig.open()


def by_itself(rig: Rig, tokens: Sequence[int], count: int) -> float:
    """The score of the last `count` tokens of a text, by reading it from the start.

    The last one may be NO_TOKEN, which stands for the end.
    """
    desk = rig.desk
    context, model = desk._context, desk._model
    rig.forget()
    score = 0.0
    for place, token in enumerate(tokens[:-1]):
        context.batch.clear()
        context.batch.add(token, place, 0)
        context.decode()
        logits = llama.llama_get_logits_ith(context.native, 0)[: model.n_vocab]
        whole = log(sum(exp(logit - max(logits)) for logit in logits)) + max(logits)
        if place >= len(tokens) - count - 1:
            following = tokens[place + 1]
            after = model.ends if following == NO_TOKEN else [following]
            score += log(sum(exp(logits[token] - whole) for token in after))
    context.memory.drop(0)
    return score


def decided(rig: Rig, choices: Sequence[str], text: str = TEXT) -> Done:
    rig.heard()
    rig.say(prompt(text, choices=tuple(choices)))
    return done(rig.finish())


def check(rig: Rig, choices: Sequence[str]) -> None:
    scores = decided(rig, choices).scores
    desk = rig.desk
    before = desk._maker._prompter.tokens(prompt(TEXT).messages)
    every = [desk._model.tokenize(choice, special=False) for choice in choices]
    for choice, score in zip(choices, scores, strict=True):
        tokens = desk._model.tokenize(choice, special=False)
        if any(len(it) > len(tokens) and it[: len(tokens)] == tokens for it in every):
            tokens.append(NO_TOKEN)
        alone = by_itself(rig, [*before, *tokens], len(tokens))
        assert score == pytest.approx(alone, rel=0.01)


def test_scores_are_those_of_each_choice_by_itself(rig: Rig) -> None:
    check(rig, ROOMS)


@pytest.mark.parametrize("shape", ["tiny", "tiny-mamba2", "tiny-hybrid"])
def test_of_models_of_any_memory(tiny: Mapping[str, Path], shape: str) -> None:
    with Rig().open(load(path=str(tiny[shape]), prefill_chunk=16)) as rig:
        check(rig, ROOMS[:4])


def test_more_choices_than_sequences_go_in_rounds(rig: Rig) -> None:
    many = [f"room {number}" for number in range(64)]
    scores = decided(rig, many).scores
    assert len(scores) == 64
    few = decided(rig, many[30:34]).scores
    assert scores[30:34] == pytest.approx(few, abs=0.02)


def test_nothing_is_written_and_the_prompt_is_kept(rig: Rig) -> None:
    rig.forget()
    first, second = decided(rig, ROOMS), decided(rig, ROOMS)
    assert (first.finish_reason, first.completion_tokens) == ("stop", 0)
    assert first.cached_tokens == 0
    assert second.cached_tokens == second.prompt_tokens - 1
    assert second.scores == pytest.approx(first.scores, abs=0.02)
    assert rig.answer(prompt(TEXT, max_tokens=5))[1].cached_tokens > 0


def test_choices_beyond_the_context_name_both_numbers(rig: Rig) -> None:
    failed = rig.fail(prompt(TEXT, choices=tuple(f"{n} " + "x" * 190 for n in range(64))))
    assert failed.code == "prompt_too_long"
    assert "512" in failed.message


def test_others_go_on_in_turns_with_the_rounds() -> None:
    with Rig().open(load(prefill_chunk=16, streams=2)) as rig:
        rig.say(prompt("tell me all", key="long", **ENDLESS))
        rig.step(4)
        many = tuple(f"room {number}" for number in range(64))
        rig.heard()
        rig.say(prompt(TEXT, key="pick", choices=many))
        tokens = 0
        frames: list[FromChild] = []
        while not any(isinstance(frame, Done) for frame in frames):
            before = rig.desk.decoded
            rig.step()
            tokens += rig.desk.decoded
            frames += rig.heard()
            assert before in {0, 1}
        assert done(frames, "pick").finish_reason == "stop"
        assert tokens >= 3, "the other wrote between the rounds"
        rig.say(Cancel(key="long"))
        rig.finish()


def test_an_urgent_one_comes_between_two_rounds() -> None:
    with Rig().open() as rig:
        many = tuple(f"room {number}" for number in range(64))
        rig.say(prompt(TEXT, key="pick", choices=many))
        while rig.desk.runs.idle or any(run.reading for run in rig.desk.runs):
            rig.step()
        rig.say(prompt("now", key="urgent", priority=0, max_tokens=3))
        ends = [frame.key for frame in rig.finish() if isinstance(frame, Done)]
        assert ends == ["urgent", "pick"]


def test_a_decision_is_cancelled_between_two_rounds() -> None:
    with Rig().open() as rig:
        many = tuple(f"room {number}" for number in range(64))
        rig.say(prompt(TEXT, choices=many))
        while rig.desk.runs.idle or any(run.reading for run in rig.desk.runs):
            rig.step()
        rig.say(Cancel(key="k"))
        end = done(rig.finish())
        assert (end.finish_reason, end.scores) == ("cancelled", ())
        assert decided(rig, ROOMS).scores


def test_a_round_that_is_given_up_is_read_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    context = rig.desk._context
    before = decided(rig, ROOMS).scores
    decode, calls = context.decode, []

    def abort_once(*args: object) -> int:
        calls.append(args)
        return 2 if len(calls) == 1 else decode(*args)

    monkeypatch.setattr(context, "decode", abort_once)
    assert decided(rig, ROOMS).scores == pytest.approx(before, abs=0.02)
    assert len(calls) == 2


def test_a_full_context_lets_prefixes_go_and_then_gives_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = rig.desk._context
    decode, calls = context.decode, []

    def full_after_the_prompt(*args: object) -> int:
        calls.append(args)
        return 1 if len(calls) > 1 else decode(*args)

    monkeypatch.setattr(context, "decode", full_after_the_prompt)
    rig.heard()
    rig.say(prompt("another prompt", choices=ROOMS))
    (failed,) = (frame for frame in rig.finish() if isinstance(frame, Failed))
    assert (failed.code, failed.message) == ("decode_failed", "no room in the context")
    monkeypatch.undo()
    assert decided(rig, ROOMS).scores


def test_no_room_for_the_options(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    prefixes = rig.desk._prefixes
    room, calls = prefixes.room, []

    def none_after_the_prompt(count: int, now: float) -> bool:
        calls.append(count)
        return len(calls) == 1 and room(count, now)

    monkeypatch.setattr(prefixes, "room", none_after_the_prompt)
    rig.say(prompt(choices=ROOMS))
    assert "no room" in rig.finish()[-1].message  # type: ignore[union-attr]
