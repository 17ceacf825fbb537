"""Tokens under a grammar: the chain's own where it may, and never one that is forbidden."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.worker import gbnf, obeying
from edged.engine.worker.deadline import DeadlineError
from edged.engine.worker.native import llama
from edged.engine.worker.obeying import Obeying
from edged.engine.worker.sampling import NO_TOKEN
from edged.serving.schema import plain
from tests.engine.harness import prompt
from tests.engine.worker.rig import Rig
from tests.serving.schemas import Schema, obeys

if TYPE_CHECKING:
    from collections.abc import Iterator

LAMP = {
    "type": "object",
    "properties": {
        "room": {"enum": ["kitchen", "bath"]},
        "on": {"type": "boolean"},
        "why": {"type": "string", "maxLength": 20},
    },
    "required": ["room", "on", "why"],
}


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig.open()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"repeat_penalty": 1.8},
        {"temperature": 5.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0},
        {"temperature": 1.0, "top_k": 1},
        {"temperature": 1.0, "repeat_penalty": 0.5},
    ],
)
def test_the_answer_obeys_however_tokens_are_drawn(
    rig: Rig, fields: dict[str, Any], seed: int
) -> None:
    request = prompt(schema=plain(LAMP), seed=seed, max_tokens=300, **fields)
    text, done = rig.answer(request)
    assert done.finish_reason == "stop"
    assert obeys(json.loads(text), LAMP)


def test_what_obeys_anyway_is_left_alone(rig: Rig) -> None:
    free, _ = rig.answer(prompt("turn on the light", max_tokens=12))
    schema = plain({"const": free})
    bound, _ = rig.answer(prompt("turn on the light", schema=schema, max_tokens=40))
    assert bound == json.dumps(free)


def test_the_same_seed_gives_the_same_answer(rig: Rig) -> None:
    request = prompt(schema=plain(LAMP), seed=9, temperature=1.0, max_tokens=100)
    assert rig.answer(request)[0] == rig.answer(request)[0]


def test_only_the_whole_vocabulary_has_what_is_asked_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(obeying, "_MANY", 0)
    monkeypatch.setattr(obeying, "_LIKELIEST", 1)
    text, _ = rig.answer(prompt(schema=plain({"const": "zzqx"}), max_tokens=20))
    assert text == '"zzqx"'


@pytest.mark.parametrize("seed", range(4))
def test_looking_at_few_tokens_changes_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    request = prompt(schema=plain(LAMP), seed=seed, temperature=1.0, max_tokens=100)
    few, _ = rig.answer(request)
    monkeypatch.setattr(obeying, "_MANY", 0)
    monkeypatch.setattr(obeying, "_LIKELIEST", rig.desk._model.n_vocab)
    assert rig.answer(request)[0] == few


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        (LAMP, '{"room": "bath", "on": true, "why": "ä🙂\\u00e4."}'),
        ({"enum": ["ü", "b"]}, '"ü"'),
        ({"type": "string", "pattern": "^[a-f]*x$"}, '"abcdefx"'),
        ({"type": "integer"}, "-104"),
    ],
)
def test_no_token_is_missed_by_its_first_byte(rig: Rig, schema: Schema, answer: str) -> None:
    model = rig.desk._model
    candidates, every = model.candidates, range(model.n_vocab)
    text = obeying.grammar_of(plain(schema))
    grammar = obeying.compiled(text, model)
    for token in [*model.tokenize(answer, special=False), model.eos]:
        ascii_only = text.isascii()
        possible = set(model.beginnings.possible(candidates, grammar, ascii_only=ascii_only))
        taken = candidates.which(grammar, every)
        # Control tokens have a spelling, too, but no bytes.
        assert {it for it in every if taken[it] and model.piece(it)} <= possible
        assert token in possible
        assert taken[token]
        llama.llama_sampler_accept(grammar, token)
    llama.llama_sampler_free(grammar)


def test_a_vocabulary_without_an_end_stops_where_nothing_may_follow(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Obeying, "_restricted", lambda _: NO_TOKEN)
    text, done = rig.answer(prompt(schema=plain({"const": "zzqx"}), max_tokens=20))
    assert (text, done.finish_reason) == ("", "stop")


@pytest.mark.parametrize("schema", ["{", "[]", '{"type":"nothing"}'])
def test_what_is_no_schema_costs_this_request_alone(rig: Rig, schema: str) -> None:
    failed = rig.fail(prompt(schema=schema))
    assert failed.code == "bad_schema"
    assert "not a plain schema" in failed.message
    assert rig.answer(prompt(max_tokens=3))[0]


def test_a_grammar_that_llama_cpp_refuses(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gbnf, "grammar", lambda _: "root ::= nothing")
    assert "takes no such grammar" in rig.fail(prompt(schema="{}")).message


@pytest.mark.parametrize("error", [DeadlineError("over 2 s"), MemoryError()])
def test_compiling_has_bounds(rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def burst(_: str) -> str:
        raise error

    monkeypatch.setattr(gbnf, "grammar", burst)
    failed = rig.fail(prompt(schema="{}"))
    assert failed.code == "bad_schema"
    assert (str(error) or "MemoryError") in failed.message


def test_candidates_are_those_of_the_step(rig: Rig) -> None:
    rig.answer(prompt(max_tokens=1))
    desk, candidates = rig.desk, rig.desk._model.candidates
    context = desk._context.native
    logits = llama.llama_get_logits_ith(context, -1)[: desk._model.n_vocab]
    greedy = llama.llama_sampler_init_greedy()
    candidates.fill(context, -1)
    candidates.apply(greedy)
    llama.llama_sampler_free(greedy)
    assert candidates.chosen == (logits.index(max(logits)), max(logits))
