"""YAML bytes to a tree that knows its lines, bounded, without aliases or tags.

Scalars follow the YAML 1.2 core schema, so `on` and `1:30` are text and no surprise.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import msgspec
import yaml
from yaml.composer import Composer

MAX_BYTES = 128 * 1024  # the commented configuration has about 8 KiB, the rest is for personas
MAX_DEPTH = 8  # the deepest key, that of a turn of a persona, is at depth 6
MAX_DIGITS = 30  # every number of ours has fewer; int() of long text takes quadratic time


class YamlFault(Exception):  # noqa: N818 - h11's habit: named for what it is
    """The bytes are no YAML of ours.

    Attributes:
        line: Counted from 1; None where no line is to blame.
        message: What is wrong; never a piece of the file but single characters and names.
    """

    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Scalar(msgspec.Struct, frozen=True):
    """One value."""

    line: int
    value: str | int | float | bool | None


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    line: int
    items: tuple[Tree, ...]


class Entry(msgspec.Struct, frozen=True):
    """One key of a section, as written; keys may repeat."""

    line: int
    key: str
    value: Tree


class Mapping(msgspec.Struct, frozen=True):
    """A section."""

    line: int
    entries: tuple[Entry, ...]


Tree: TypeAlias = Mapping | Sequence | Scalar


class _Loader(yaml.SafeLoader):
    """Composes nodes only; nothing is ever constructed from a tag."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own API
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse what would let a small file grow, before it does."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise YamlFault(_line(event), "anchors and aliases (& and *) are not allowed")
        if event.tag is not None:
            raise YamlFault(_line(event), "tags (!) are not allowed")
        if self.depth >= MAX_DEPTH:
            raise YamlFault(_line(event), f"nested more than {MAX_DEPTH} deep")
        self.depth += 1
        try:
            return Composer.compose_node(self, parent, index)
        finally:
            self.depth -= 1


def _resolve(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolve("null", r"^(?:~|null|Null|NULL|)$", "~nN")
_resolve("int", r"^[-+]?[0-9]+$", "-+0123456789")
_resolve("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789")
_Loader.yaml_implicit_resolvers[""] = [("tag:yaml.org,2002:null", re.compile(r"^$"))]


def read_tree(data: bytes) -> Tree:
    """The one document in `data`; an empty file is an empty section.

    Raises:
        YamlFault: On anything else; no other exception leaves here.
    """
    if len(data) > MAX_BYTES:
        raise YamlFault(None, f"{len(data)} bytes, and at most {MAX_BYTES} are read")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise YamlFault(data.count(b"\n", 0, error.start) + 1, "not UTF-8 text") from None
    try:
        node = _Loader(text).get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlFault(line, "control characters are not allowed") from None
    except yaml.MarkedYAMLError as error:
        raise YamlFault(*_syntax(error)) from None
    except (ValueError, OverflowError):  # PyYAML's own int() and chr() on escapes and versions
        raise YamlFault(None, "YAML syntax: a number or escape out of range") from None
    return Mapping(1, ()) if node is None else _tree(node)


def _syntax(error: yaml.MarkedYAMLError) -> tuple[int | None, str]:
    mark = error.problem_mark or error.context_mark
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return (None if mark is None else mark.line + 1), f"YAML syntax: {said}"


def _line(thing: Any) -> int:
    return int(thing.start_mark.line) + 1


def _tree(node: yaml.Node) -> Tree:
    if isinstance(node, yaml.MappingNode):
        return Mapping(_line(node), tuple(_entry(key, value) for key, value in node.value))
    if isinstance(node, yaml.SequenceNode):
        return Sequence(_line(node), tuple(_tree(item) for item in node.value))
    return Scalar(_line(node), _value(node))


def _entry(key: yaml.Node, value: yaml.Node) -> Entry:
    if not isinstance(key, yaml.ScalarNode):
        raise YamlFault(_line(key), "a key must be a plain word")
    return Entry(_line(key), str(key.value), _tree(value))


def _value(node: yaml.Node) -> str | int | float | bool | None:
    kind, text = node.tag.rpartition(":")[2], str(node.value)
    if kind in {"int", "float"} and len(text) > MAX_DIGITS:
        raise YamlFault(_line(node), f"a number of more than {MAX_DIGITS} digits")
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text)
        case "float":
            return float(text)
        case _:
            return text
