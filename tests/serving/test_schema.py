"""Any schema becomes a plain one within bounds, or is refused with the place that is to blame."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.serving import schemawords
from edged.serving.bad import Bad
from edged.serving.schema import plain
from tests.serving.schemas import SOUND, Schema, bomb, refused

TEXT = {"type": "string"}


def made(schema: Schema) -> Any:
    return json.loads(plain(schema))


def nested(levels: int) -> Schema:
    schema: Schema = {"type": "boolean"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


def chain(length: int) -> Schema:
    definitions = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(length)}
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{length}": TEXT}}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (TEXT, TEXT),
        ({"type": "boolean", "title": "On", "description": "x", "default": True}, None),
        ({"type": ["null", "null"]}, {"type": "null"}),
        ({"properties": {}}, {"type": "object", "properties": {}, "required": []}),
        (
            {"items": TEXT, "minItems": 1, "maxItems": 2},
            {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 2},
        ),
        (
            {"type": "object", "additionalProperties": TEXT},
            {"type": "object", "properties": {}, "required": [], "additionalProperties": TEXT},
        ),
        (
            {"properties": {"a": TEXT}, "additionalProperties": False, "required": ["a"]},
            {"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
        ),
        ({"anyOf": [TEXT]}, TEXT),
        ({"anyOf": [TEXT, {"type": "null"}]}, {"anyOf": [TEXT, {"type": "null"}]}),
        (
            {"type": ["string", "null"], "maxLength": 3},
            {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
        ),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": TEXT}}, TEXT),
        ({"$ref": "#/definitions/x", "definitions": {"x": TEXT}}, TEXT),
        (
            {"$defs": {"x": TEXT}, "items": {"$ref": "#/$defs/x"}},
            {"type": "array", "items": TEXT},
        ),
        (nested(8), nested(8)),
        (chain(31), TEXT),
    ],
)
def test_the_plain_form(schema: Schema, expected: Schema | None) -> None:
    assert made(schema) == ({"type": schema["type"]} if expected is None else expected)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({}, "a type is missing (at its root)"),
        ({"type": []}, "a type is missing (at its root)"),
        ({"type": 7}, "a type is missing"),
        ({"type": "text"}, 'there is no type "text" (/type)'),
        ({"type": [[]]}, "there is no type"),
        ({"properties": {"a": True}}, "not a JSON object; say what may stand here (/properties/a)"),
        ({"type": "string", "format": "date"}, "not supported here (/format)"),
        ({"type": "object", "patternProperties": {}}, "(/patternProperties)"),
        ({"items": {"not": TEXT}}, "a type is missing (/items)"),
        ({"items": {"type": "string", "multipleOf": 2}}, "(/items/multipleOf)"),
        ({"oneOf": [TEXT]}, "a type is missing"),
        ({"anyOf": [TEXT], "type": "string"}, "not supported here (/type)"),
        ({"anyOf": []}, "not a list of 1 to 16 schemas (/anyOf)"),
        ({"anyOf": [TEXT] * 17}, "not a list of 1 to 16 schemas (/anyOf)"),
        ({"anyOf": [TEXT, 7]}, "(/anyOf/1)"),
        ({"type": "array"}, "an array needs items"),
        ({"type": "object"}, "an object needs properties or additionalProperties"),
        ({"properties": []}, "not an object of at most 64 properties (/properties)"),
        ({"properties": {str(n): TEXT for n in range(65)}}, "at most 64 properties"),
        ({"properties": {"x" * 257: TEXT}}, "a text of 257 characters"),
        ({"properties": {"a": TEXT}, "required": ["b"]}, "names of the properties (/required)"),
        ({"properties": {"a": TEXT}, "required": [[]]}, "names of the properties (/required)"),
        ({"properties": {"a": TEXT}, "required": "a"}, "names of the properties (/required)"),
        (
            {"properties": {"a": TEXT}, "additionalProperties": TEXT},
            "not supported beside properties (/additionalProperties)",
        ),
        ({"$ref": "https://example.org/s.json"}, "are followed (/$ref)"),
        ({"$ref": "other.json#/$defs/x"}, "are followed (/$ref)"),
        ({"$ref": "#"}, "are followed (/$ref)"),
        ({"$ref": 7}, "are followed (/$ref)"),
        ({"$ref": "#/$defs/x"}, 'there is no "#/$defs/x" (/$ref)'),
        ({"$ref": "#/$defs/x", "$defs": []}, "there is no"),
        ({"$ref": "#/properties/x", "properties": {"x": TEXT}}, "(/properties)"),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/$defs/x"}}}, "holds itself"),
        (
            {"$ref": "#/$defs/x", "$defs": {"x": {"items": {"$ref": "#/$defs/x"}}}},
            "holds itself, or too many others; an answer has to end (/$defs/x/items/$ref)",
        ),
        (chain(32), "holds itself, or too many others"),
        (bomb(20, 2), "too many schemas in the whole of it"),
        (nested(9), "more than 8 objects and arrays in one another"),
        ({"enum": ["x"] * 1024, "title": "y" * 40_000}, "bytes, the limit is 32768"),
    ],
)
def test_what_is_refused_and_where(schema: Schema, said: str) -> None:
    message = refused(schema)
    assert message.startswith("schema: ")
    assert said in message


def test_the_plain_form_is_bounded_however_it_grows() -> None:
    values = {"enum": ["\x01" * 250 + str(n) for n in range(11)]}
    references = [{"$ref": "#/$defs/v"}] * 7
    schema = {"anyOf": references, "$defs": {"v": values}}
    assert "characters with references and ranges written out" in refused(schema)


def test_a_number_that_no_encoder_takes_is_refused_where_it_matters() -> None:
    assert made({"type": "null", "default": 2**70}) == {"type": "null"}
    assert "no value of type" in refused({"enum": [2**70]})


def test_a_hostile_name_stays_on_one_line() -> None:
    message = refused({"properties": {"a\n\x1b/~" + "x" * 100: 1}})
    assert message.isprintable()
    assert len(message) < 150


@given(SOUND)
def test_sound_schemas_are_taken(schema: Schema) -> None:
    assert len(plain(schema)) <= schemawords.MAX_PLAIN_CHARS


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    *(word for words in schemawords.KEYWORDS.values() for word in words),
                    *("type", "anyOf", "enum", "const", "$ref", "$defs"),
                ]
            ),
            st.one_of(inner, st.sampled_from([*schemawords.KEYWORDS, "#/$defs/a"])),
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["type", "items", "anyOf", "enum", "properties"]), JSON))
def test_anything_is_plain_or_refused_by_name(schema: Schema) -> None:
    try:
        text = plain(schema)
    except Bad as bad:
        found = {bad.code, bad.message[:8]}
    else:
        found = set(json.loads(text))
    assert found == {"bad_schema", "schema: "} or found & {"type", "enum", "anyOf"}
