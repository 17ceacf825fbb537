"""The look ahead is linear, and right about keys wherever the JSON is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.serving.scan import MAX_DEPTH, MAX_NUMBER_BYTES, MAX_TOKENS, Fault, scan

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXT = st.text(st.sampled_from('ab"\\{}[]:, \né😀'), max_size=6)
TREES = st.recursive(
    st.none() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(tree=st.dictionaries(TEXT, TREES, max_size=4), ascii_only=st.booleans())
def test_valid_json_gives_its_keys(tree: dict[str, Any], *, ascii_only: bool) -> None:
    found = scan(json.dumps(tree, ensure_ascii=ascii_only).encode())
    assert isinstance(found, Fault) or found == tuple(tree)
    if depth(tree) <= MAX_DEPTH:
        assert found == tuple(tree)


def depth(tree: object) -> int:
    inner: Iterable[object] = ()
    if isinstance(tree, dict):
        inner = tree.values()
    elif isinstance(tree, list):
        inner = tree
    else:
        return 0
    return 1 + max(map(depth, inner), default=0)


@settings(deadline=None)
@given(payload=st.text(st.sampled_from('ab"\\{}[]:, 1e'), max_size=40))
def test_anything_gives_keys_or_a_fault(payload: str) -> None:
    found = scan(payload.encode())
    assert isinstance(found, Fault | tuple)


def test_depth_is_bounded() -> None:
    assert scan(b"[" * MAX_DEPTH) == ()
    assert scan(b"[" * MAX_DEPTH + b"]" + b"[") == ()
    fault = scan(b'{"a": ' + b"[" * MAX_DEPTH)
    assert fault == Fault("bad_json", "more than 24 levels deep at byte 29")


def test_size_is_bounded() -> None:
    assert scan(b"[]" * (MAX_TOKENS // 2)) == ()
    assert scan(b"[]" * (MAX_TOKENS // 2) + b"[") == Fault(
        "bad_json", "more than 4096 values, keys and brackets"
    )


@pytest.mark.parametrize("digit", [b"9", b"-", b"."])
def test_numbers_are_bounded(digit: bytes) -> None:
    assert scan(b'{"a": ' + digit * MAX_NUMBER_BYTES + b"}") == ("a",)
    fault = scan(b'{"a": ' + digit * (MAX_NUMBER_BYTES + 1) + b"}")
    assert fault == Fault("bad_json", "a number of more than 64 characters at byte 6")
    assert scan(b'{"a": "' + digit * 100 + b'"}') == ("a",)


def test_a_string_without_an_end_ends_the_scan() -> None:
    assert scan(b'{"a": 1, "' + b'\\"' * 60_000) == ("a",)


def test_a_key_that_is_no_string_of_json_is_kept_raw() -> None:
    assert scan(b'{"\\x": 1, "\\x": 2}') == Fault(
        "bad_field", 'the key "\\\\x" is given twice, again at byte 10'
    )
