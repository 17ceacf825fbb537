from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from edged.sections import Reader
from edged.yamltree import read_tree

Even = Annotated[str, Meta(pattern="^(..)*$")]
Hex = Annotated[str, Meta(pattern="^[0-9a-f]*$", description="hex digits")]


class Text(msgspec.Struct, frozen=True, kw_only=True):
    plain: Even | None = None
    told: Hex | None = None
    items: Annotated[tuple[Hex, ...], Meta(max_length=3)] = ()


def faults(yaml: str) -> list[str]:
    reader = Reader("f.yaml")
    reader.section(read_tree(yaml.encode()), Text, "")
    return [str(problem) for problem in reader.report()]


def test_a_pattern_is_told_in_words() -> None:
    assert faults("plain: abc\ntold: xyz\n") == [
        "f.yaml:1: plain: must be text of another form; it is 'abc'",
        "f.yaml:2: told: must be hex digits; it is 'xyz'",
    ]
    assert faults("plain: ab\ntold: beef\nitems: [ab, cd]\n") == []


def test_rules_are_told_where_nothing_else_is_wrong() -> None:
    reader = Reader("f.yaml")
    reader.section(read_tree(b"plain: abc\ntold: ff\n"), Text, "")
    reader.check([(("plain",), "never said"), (("told", "plain"), "nor this"), (("items",), "no")])
    assert [str(problem) for problem in reader.report()] == [
        "f.yaml: items: no",
        "f.yaml:1: plain: must be text of another form; it is 'abc'",
    ]
