"""What a grammar takes obeys the schema it is made of; llama.cpp decides what it takes."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edged.engine.worker import gbnf
from edged.engine.worker.candidates import Candidates
from edged.engine.worker.gbnf import GrammarError, grammar, words
from edged.engine.worker.model import Model
from edged.engine.worker.native import llama
from edged.serving.schema import plain
from tests.engine.harness import POCKET
from tests.serving.schemas import SOUND, TEXTS, Schema, obeys

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    loaded = Model(str(POCKET), lambda _: None, repack=False)
    yield loaded
    llama.llama_model_free(loaded.native)


def takes(model: Model, text: str, answer: str) -> bool:
    """Whether the grammar takes this answer as a whole."""
    sampler = llama.llama_sampler_init_grammar(model.vocab, text.encode(), b"root")
    assert sampler, text
    one = Candidates(1)
    try:
        for token in [*model.tokenize(answer, special=False), model.eos]:
            if not one.allowed(sampler, token):
                return False
            llama.llama_sampler_accept(sampler, token)
    finally:
        llama.llama_sampler_free(sampler)
    return True


def check(model: Model, schema: Schema, answer: str) -> bool:
    return takes(model, grammar(plain(schema)), answer)


OBJECT: Schema = {
    "type": "object",
    "properties": {
        "room": {"enum": ["kitchen", "living room", "living"]},
        'a "b" \\': {"type": "integer", "minimum": 0, "maximum": 255},
        "note": {"type": ["string", "null"], "maxLength": 4},
    },
    "required": ["room"],
}
NUMBERS: Schema = {"items": {"type": "number"}, "minItems": 2, "maxItems": 3}
CODE: Schema = {"type": "string", "pattern": r"^[a-f]{2}\.[0-9]*x?$"}


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        (OBJECT, '{"room": "living"}'),
        (OBJECT, '{"room": "living room", "a \\"b\\" \\\\": 255, "note": null}'),
        (OBJECT, '{"room": "kitchen", "note": "\\u00e4\\n\\"é"}'),
        (NUMBERS, "[0, -1.5]"),
        (NUMBERS, "[10, 0.25, -0]"),
        (CODE, '"ab.12x"'),
        (CODE, '"ff."'),
        ({"properties": {}}, "{}"),
        ({"type": "object", "additionalProperties": {"type": "null"}}, '{"a": null, "b": null}'),
        ({"items": {"type": "null"}, "maxItems": 0}, "[]"),
        ({"items": {"type": "null"}, "maxItems": 1}, "[null]"),
        ({"type": "string", "maxLength": 0}, '""'),
        ({"type": "string", "minLength": 1}, '"🙂"'),
        ({"const": "ü\x00\u2028"}, '"ü\\u0000\u2028"'),
    ],
)
def test_it_takes(model: Model, schema: Schema, answer: str) -> None:
    assert obeys(json.loads(answer), schema)
    assert check(model, schema, answer)


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        (OBJECT, "{}"),
        (OBJECT, '{"room": "liv"}'),
        (OBJECT, '{"room": "kitchen",}'),
        (OBJECT, '{"room": "kitchen", "a \\"b\\" \\\\": 256}'),
        (OBJECT, '{"room": "kitchen", "note": "12345"}'),
        (OBJECT, '{"room": "kitchen", "room": "kitchen"}'),
        (OBJECT, '{"room": "kitchen", "other": 1}'),
        (NUMBERS, "[1]"),
        (NUMBERS, "[1, 2, 3, 4]"),
        (NUMBERS, "[01, 2]"),
        (NUMBERS, "[1e999, 2]"),
        (NUMBERS, "[1., 2]"),
        (NUMBERS, "[-, 2]"),
        (OBJECT, '{"room":"kitchen"}'),
        (NUMBERS, "[1,2]"),
        (CODE, '"ab12"'),
        (CODE, "ab.12x"),
        ({"items": {"type": "null"}, "maxItems": 0}, "[null]"),
        ({"type": "string"}, '"a\nb"'),
        ({"type": "string"}, '"\\ud800"'),
        ({"type": "string"}, '"\\x"'),
        ({"type": "string", "maxLength": 0}, '"a"'),
        ({"type": "boolean"}, "true true"),
    ],
)
def test_it_does_not_take(model: Model, schema: Schema, answer: str) -> None:
    assert not check(model, schema, answer)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schema=SOUND, seed=st.integers(0, 2**32))
def test_a_walk_at_random_ends_in_an_answer_that_obeys(
    model: Model, schema: Schema, seed: int
) -> None:
    sampler = llama.llama_sampler_init_grammar(
        model.vocab, grammar(plain(schema)).encode(), gbnf.ROOT.encode()
    )
    assert sampler
    pick = random.Random(seed)  # noqa: S311 - no secret
    one, answer = Candidates(1), b""
    try:
        for _ in range(400):
            if one.allowed(sampler, model.eos):
                break
            likely = pick.sample(range(model.n_vocab), 200)
            every = (token for token in range(model.n_vocab) if one.allowed(sampler, token))
            token = next((t for t in likely if one.allowed(sampler, t)), None)
            token = next(every) if token is None else token
            llama.llama_sampler_accept(sampler, token)
            answer += model.piece(token)
        else:
            return  # an endless text or list
    finally:
        llama.llama_sampler_free(sampler)
    # llama.cpp takes overlong forms for the characters they would be; no model writes them.
    text = answer.decode(errors="replace")
    assert "\ufffd" in text or obeys(json.loads(text), schema)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS.filter(str.isprintable), min_size=1, max_size=8), other=TEXTS)
def test_words_are_those_texts_and_no_others(model: Model, texts: list[str], other: str) -> None:
    values = [json.dumps(text, ensure_ascii=False) for text in [*texts, other]]
    text = grammar(plain({"enum": texts}))
    assert all(takes(model, text, value) for value in values[:-1])
    assert takes(model, text, values[-1]) == (other in texts)


def test_what_words_begin_with_is_written_once() -> None:
    assert words(["on", "off", "on", "on now", "x"]) == '("o" ("ff" | "n" (" now")?) | "x")'
    assert words(["a"]) == '("a")'


@pytest.mark.parametrize("schema", ["{}", "[]", "x", '{"type":"text"}', '{"type":"array"}'])
def test_what_is_no_plain_schema(schema: str) -> None:
    with pytest.raises(GrammarError, match="not a plain schema"):
        grammar(schema)


def test_a_grammar_is_bounded() -> None:
    schema = {"enum": [f"{n:08}" + '"' * 600_000 for n in range(2)]}
    with pytest.raises(GrammarError, match="longer than 1048576 bytes"):
        grammar(json.dumps(schema))


def test_equal_rules_are_one() -> None:
    inner = {"type": "string", "maxLength": 5}
    many = {"properties": {f"p{n}": inner for n in range(9)}}
    assert grammar(plain(many)).count("char{0,5}") == 1
