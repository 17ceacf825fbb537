"""JSON Schemas for tests, and an oracle that knows what they mean."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import strategies as st

from edged.serving.bad import Bad
from edged.serving.schema import plain

Schema = dict[str, Any]
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
NAMES = st.one_of(st.sampled_from(["a", "b", "on", 'q"uote', "back\\slash", "ü"]), TEXTS)


def obeys(value: Any, schema: Schema, root: Schema | None = None) -> bool:
    """Whether a JSON value is valid, by the words of the specification."""
    root = root if root is not None else schema
    if "$ref" in schema:
        _, keyword, name = schema["$ref"].split("/")
        return obeys(value, root[keyword][name], root)
    if "anyOf" in schema:
        return any(obeys(value, option, root) for option in schema["anyOf"])
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        return False
    if "const" in schema and not _same(value, schema["const"]):
        return False
    kinds = schema.get("type", ["object", "array", "boolean", *_SCALARS])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return any(_is(value, kind) for kind in kinds) and _fits(value, schema, root)


_SCALARS: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, {"object": dict, "array": list, "boolean": (), **_SCALARS}[kind])


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _fits(value: Any, schema: Schema, root: Schema) -> bool:
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        return all(name in value for name in schema.get("required", [])) and all(
            obeys(item, known[name], root)
            if name in known
            else others is True or (others is not False and obeys(item, others, root))
            for name, item in value.items()
        )
    if isinstance(value, list):
        least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
        return least <= len(value) <= most and all(
            obeys(item, schema["items"], root) for item in value
        )
    if isinstance(value, str):
        least, most = schema.get("minLength", 0), schema.get("maxLength", len(value))
        pattern = schema.get("pattern", "")
        return least <= len(value) <= most and re.search(pattern, value) is not None
    if isinstance(value, int | float) and not isinstance(value, bool):
        least, most = schema.get("minimum", value), schema.get("maximum", value)
        return bool(least <= value <= most)
    return True


def refused(schema: Any) -> str:
    """What is said about a schema that is not taken."""
    with pytest.raises(Bad) as caught:
        plain(schema)
    assert caught.value.code == "bad_schema"
    return caught.value.message


def bomb(levels: int, width: int) -> Schema:
    """Few bytes that are width to the power of levels schemas."""
    definitions: Schema = {
        f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * width} for n in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{levels}": {"type": "string"}}}


def _bounds(least: str, most: str, top: int) -> st.SearchStrategy[Schema]:
    pairs = st.tuples(st.integers(0, top), st.integers(0, top))
    return st.one_of(
        st.just({}),
        st.integers(0, top).map(lambda n: {least: n}),
        pairs.map(lambda pair: {least: min(pair), most: max(pair)}),
    )


SCALARS: st.SearchStrategy[Schema] = st.one_of(
    st.sampled_from(
        [
            {"type": "boolean"},
            {"type": "null"},
            {"type": "number"},
            {"type": "number", "minimum": 0},
            {"type": "integer"},
            {"type": "integer", "minimum": 0},
            {"type": ["string", "null"], "maxLength": 3},
            {"type": "string", "pattern": "^[a-c]{1,2}-x?[0-9]+$"},
        ]
    ),
    st.tuples(st.integers(-50, 50), st.integers(0, 120)).map(
        lambda pair: {"type": "integer", "minimum": pair[0], "maximum": pair[0] + pair[1]}
    ),
    _bounds("minLength", "maxLength", 6).map(lambda bounds: {"type": "string", **bounds}),
    st.lists(
        st.one_of(TEXTS, st.integers(-99, 999), st.booleans(), st.none()), min_size=1, max_size=6
    ).map(lambda values: {"enum": values}),
    TEXTS.map(lambda text: {"const": text}),
)


def _objects(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    fields = st.dictionaries(NAMES, st.tuples(inner, st.booleans()), max_size=4)
    return fields.map(
        lambda fields: {
            "type": "object",
            "properties": {name: schema for name, (schema, _) in fields.items()},
            "required": [name for name, (_, required) in fields.items() if required],
        }
    )


SOUND: st.SearchStrategy[Schema] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        _objects(inner),
        inner.map(lambda schema: {"type": "object", "additionalProperties": schema}),
        st.tuples(inner, _bounds("minItems", "maxItems", 3)).map(
            lambda pair: {"type": "array", "items": pair[0], **pair[1]}
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
    ),
    max_leaves=6,
)
