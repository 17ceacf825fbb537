"""What has to come is written without asking the model, and nothing else is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.frames import Message
from edged.engine.worker import fastforward, obeying
from edged.engine.worker.fastforward import FastForward
from edged.engine.worker.native import llama
from edged.serving.schema import plain
from tests.engine.harness import load, prompt
from tests.engine.worker.rig import Rig, done, text
from tests.serving.schemas import Schema, obeys

if TYPE_CHECKING:
    from collections.abc import Iterator

LAMP = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}, "größe": {"type": "integer"}},
    "required": ["colour", "größe"],
}
START = '{"colour": "'


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig.open(load(prefill_chunk=16, streams=2))


def ahead(rig: Rig, written: str, schema: Schema) -> str:
    """What is told beforehand where this much is written."""
    model = rig.desk._model
    grammar = obeying.grammar_of(plain(schema))
    native = obeying.compiled(grammar, model)
    for token in model.tokenize(written, special=False):
        assert model.candidates.allowed(native, token)
        llama.llama_sampler_accept(native, token)
    tokens = FastForward(model, grammar).tokens(native)
    llama.llama_sampler_free(native)
    return b"".join(map(model.piece, tokens)).decode()


@pytest.mark.parametrize(
    ("written", "rest"),
    [
        ("", START),
        (START + "r", 'ed", "größe": '),
        (START + "green", '", "größe": '),
        (START, ""),
        (START + 'red", "größe": ', ""),
        (START + 'red", "größe": 12', ""),
        (START + 'red", "größe": 12}', ""),
    ],
)
def test_as_far_as_there_is_one_way_but_for_the_last_token(
    rig: Rig, written: str, rest: str
) -> None:
    told = ahead(rig, written, LAMP)
    assert rest.startswith(told)
    left = rig.desk._model.tokenize(rest[len(told) :], special=False)
    assert len(left) == (1 if rest else 0)


def test_inside_of_a_text_and_where_it_may_end_nothing_is_told(rig: Rig) -> None:
    assert ahead(rig, '"', {"type": "string"}) == ""
    assert ahead(rig, "1", {"enum": [1, 1234567]}) == ""


def test_a_name_is_read_no_further_than_its_bound(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fastforward, "MAX_BYTES", 6)
    assert START.startswith(ahead(rig, "", LAMP))
    assert len(ahead(rig, "", LAMP)) <= 6


def test_a_large_grammar_is_not_copied(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastforward, "MAX_GRAMMAR_BYTES", 10)
    assert ahead(rig, "", LAMP) == ""


def test_a_vocabulary_that_says_too_little_of_its_bytes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginnings = rig.desk._model.beginnings
    monkeypatch.setattr(beginnings, "complete", False)
    assert ahead(rig, "", LAMP) == ""
    monkeypatch.undo()
    letters = {byte: token for byte, token in beginnings.alone.items() if byte != ord("e")}
    monkeypatch.setattr(beginnings, "alone", letters)
    assert ahead(rig, "", LAMP) == ""


def test_a_vocabulary_that_puts_a_space_in_front(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    model = rig.desk._model
    native = obeying.compiled(grammar := obeying.grammar_of(plain(LAMP)), model)
    forward, tokenize = FastForward(model, grammar), model.tokenize
    monkeypatch.setattr(
        model, "tokenize", lambda text, special: tokenize(f" {text}", special=special)
    )
    assert forward.tokens(native) == []
    llama.llama_sampler_free(native)


@pytest.mark.parametrize("fields", [{}, {"repeat_penalty": 1.5, "temperature": 1.0}])
def test_an_answer_takes_fewer_steps_than_it_has_tokens(rig: Rig, fields: dict[str, Any]) -> None:
    rig.say(prompt(schema=plain(LAMP), max_tokens=100, seed=1, **fields))
    steps = tokens = 0
    frames = rig.heard()
    while not rig.desk.idle or not frames:
        rig.step()
        steps += rig.desk.decoded > 0
        tokens += rig.desk.decoded
        frames += rig.heard()
    assert obeys(json.loads(text(frames)), LAMP)
    written = done(frames).completion_tokens
    assert written - 1 <= tokens <= written
    assert steps < tokens / 2


@pytest.mark.parametrize("most", range(1, 9))
def test_an_answer_is_never_longer_than_asked_for(rig: Rig, most: int) -> None:
    answer, sums = rig.answer(prompt(schema=plain({"const": "abc def ghi jkl"}), max_tokens=most))
    assert (sums.completion_tokens, sums.finish_reason) == (most, "length")
    assert '"abc def ghi jkl"'.startswith(answer)


def test_a_stop_string_ends_it_in_the_middle(rig: Rig) -> None:
    answer, sums = rig.answer(prompt(schema=plain(LAMP), stop=["lour"], max_tokens=50))
    assert (answer, sums.finish_reason) == ('{"co', "stop")


def test_what_is_kept_of_it_is_what_was_written(rig: Rig) -> None:
    question, more = Message(role="user", content="A lamp?"), Message(role="user", content="And?")
    rig.forget()
    answer, _ = rig.answer(prompt(messages=(question,), schema=plain(LAMP), max_tokens=60))
    turns = (question, Message(role="assistant", content=answer), more)
    asked = prompt(messages=turns, max_tokens=30)
    again, sums = rig.answer(asked)
    assert sums.cached_tokens > 0
    rig.forget()
    fresh, sums = rig.answer(asked)
    assert sums.cached_tokens == 0
    assert again == fresh


def test_two_side_by_side_and_one_that_is_free(rig: Rig) -> None:
    rig.heard()
    rig.say(
        prompt(schema=plain(LAMP), key="a", max_tokens=80),
        prompt(schema=plain(LAMP), key="b", max_tokens=80, temperature=1.0, seed=2),
        prompt("tell me a story", key="c", max_tokens=20),
    )
    frames = rig.finish()
    for key in "ab":
        assert obeys(json.loads(text(frames, key)), LAMP)
    assert done(frames, "c").completion_tokens <= 20
