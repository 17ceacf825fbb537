"""Texts, numbers and named values of a schema: what is kept of them, and their bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.serving.schema import plain
from tests.serving.schemas import Schema, refused


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"enum": ["on", 1, 1.5, True, None]}, {"enum": ["on", 1, 1.5, True, None]}),
        ({"enum": ["on"], "type": "string"}, {"enum": ["on"]}),
        ({"enum": [1, None], "type": ["integer", "null"]}, {"enum": [1, None]}),
        ({"const": "on"}, {"enum": ["on"]}),
        ({"type": "integer"}, {"type": "integer"}),
        ({"type": "integer", "minimum": 0}, {"type": "integer", "minimum": 0}),
        ({"type": "number", "minimum": 0.0}, {"type": "number", "minimum": 0}),
        ({"type": "integer", "minimum": -1, "maximum": 1}, {"enum": [-1, 0, 1]}),
        (
            {"type": "string", "minLength": 2, "maxLength": 2},
            {"type": "string", "minLength": 2, "maxLength": 2},
        ),
        (
            {"type": "string", "pattern": "^[a-c]+-x?$"},
            {"type": "string", "pattern": [["[a-c]", 1, None], ["-", 1, 1], ["x", 0, 1]]},
        ),
    ],
)
def test_the_plain_form(schema: Schema, expected: Schema) -> None:
    assert json.loads(plain(schema)) == expected


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"enum": []}, "not a list of 1 to 1024 values (/enum)"),
        ({"enum": "on"}, "not a list"),
        ({"enum": list(range(1025))}, "not a list of 1 to 1024 values"),
        ({"enum": [{}]}, "no value of type string or integer"),
        ({"enum": ["a", 1], "type": "string"}, "no value of type string (/enum/1)"),
        ({"enum": [True], "type": "integer"}, "no value of type integer (/enum/0)"),
        ({"const": {}}, "(/const)"),
        ({"const": 1, "minimum": 0}, "(/minimum)"),
        ({"enum": ["x" * 257]}, "a text of 257 characters, the limit is 256 (/enum/0)"),
        (
            {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 1023}] * 5},
            "too many values in the whole of it (/anyOf/4/maximum)",
        ),
        ({"type": "integer", "minimum": 1}, "only 0 is supported, or a range of integers"),
        ({"type": "number", "minimum": False}, "only 0 is supported"),
        ({"type": "number", "maximum": 1}, "not supported here (/maximum)"),
        ({"type": "integer", "maximum": 1}, "a range needs a minimum and a maximum"),
        ({"type": "integer", "minimum": 0, "maximum": 1.5}, "both integers (/maximum)"),
        ({"type": "integer", "minimum": 0, "maximum": 1024}, "a range has 1 to 1024 integers"),
        ({"type": "integer", "minimum": 1, "maximum": 0}, "a range has 1 to 1024 integers"),
        ({"type": "string", "maxLength": 1025}, "not an integer from 0 to 1024 (/maxLength)"),
        ({"type": "string", "minLength": -1}, "(/minLength)"),
        ({"type": "string", "minLength": True}, "(/minLength)"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "less than minLength (/maxLength)"),
        ({"type": "string", "pattern": "^(a|b)$"}, "not supported from character 1 on (/pattern)"),
        ({"type": "string", "pattern": "^a$", "maxLength": 3}, "not supported beside"),
        (
            {"type": "string", "pattern": "^[a-z]{0,64}[a-z]{0,200}$"},
            "it leaves 264 ways open, the limit is 256 (/pattern)",
        ),
        ({"type": "string", "pattern": "^a{0,2000}$"}, "not an integer from 0 to 1024 (/pattern)"),
        (
            {"properties": {str(n): {"type": "string", "maxLength": 1024} for n in range(17)}},
            "too many repetitions in the whole of it (/properties/16/maxLength)",
        ),
    ],
)
def test_what_is_refused_and_where(schema: Schema, said: str) -> None:
    assert said in refused(schema)


@given(st.integers(-(2**60), 2**60), st.integers(0, 1023))
def test_a_range_is_its_integers_or_too_large_to_be_exact(low: int, size: int) -> None:
    schema: dict[str, Any] = {"type": "integer", "minimum": low, "maximum": low + size}
    if max(abs(low), abs(low + size)) > 2**53:
        assert "both integers" in refused(schema)
    else:
        assert json.loads(plain(schema))["enum"] == [low + n for n in range(size + 1)]
