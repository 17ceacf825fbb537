"""A plain schema to the grammar of its answers, in llama.cpp's notation.

The plain schemas come from the daemon, which has bounded all that a grammar grows with. Converters
that are kept elsewhere take more words, and then write quotes of names into the grammar as they
are, control characters into texts, and numbers that no reader takes.
"""

from __future__ import annotations

from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    Schema = dict[str, Any]

ROOT = "root"
# The largest schema the daemon passes makes a tenth of this.
MAX_GRAMMAR_BYTES = 1 << 20
# One blank where people put one: what has to come need not be asked of the model.
_COMMA = '", "'
_NOTHING = '""'
_RULES = {
    # No control characters, no halves of surrogate pairs, and nothing that is beyond Unicode,
    # which llama.cpp reads from bytes that are no UTF-8.
    "char": r'[ !#-\[\]-~\u00A0-\uD7FF\uE000-\U0010FFFF] | "\\" (["\\/bfnrt] | "u" unit)',
    "unit": "[0-9a-cA-CefEF] hex hex hex | [dD] [0-7] hex hex",
    "hex": "[0-9a-fA-F]",
    # 15 digits are kept by every reader of JSON.
    "digits": '"0" | [1-9] [0-9]{0,14}',
    "decimals": '("." [0-9]{1,15})?',
}
_NUMBERS = {"integer": "digits", "number": "digits decimals"}
_SIMPLE = {"boolean": '"true" | "false"', "null": '"null"'}


class GrammarError(Exception):
    """No grammar can be made of this."""


def grammar(schema: str) -> str:
    """The grammar of the answers that obey a plain schema.

    Args:
        schema: As JSON; one of the daemon's.

    Raises:
        GrammarError: It is none of those, or the grammar is too large.
    """
    try:
        text = _Rules().text(msgspec.json.decode(schema, type=dict))
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError, AttributeError) as error:
        message = f"not a plain schema: {type(error).__name__}"
        raise GrammarError(message) from None
    if len(text.encode()) > MAX_GRAMMAR_BYTES:
        message = f"its grammar is longer than {MAX_GRAMMAR_BYTES} bytes"
        raise GrammarError(message)
    return text


class _Rules:
    """Rules by name; equal ones are one. No name and no value of a schema is a rule's name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {text: name for name, text in _RULES.items()}

    def text(self, schema: Schema) -> str:
        """The whole grammar."""
        root = self._expression(schema)
        rules = [f"{ROOT} ::= {root}", *(f"{name} ::= {it}" for it, name in self._names.items())]
        return "\n".join(rules) + "\n"

    def _rule(self, expression: str) -> str:
        """The name of a rule that says this."""
        return self._names.setdefault(expression, f"r{len(self._names)}")

    def _expression(self, schema: Schema) -> str:
        if "enum" in schema:
            return words(msgspec.json.encode(value).decode() for value in schema["enum"])
        if "anyOf" in schema:
            return " | ".join(self._place(option) for option in schema["anyOf"])
        kind = schema["type"]
        if kind in _NUMBERS:
            return ("" if "minimum" in schema else '"-"? ') + _NUMBERS[kind]
        if kind in _SIMPLE:
            return _SIMPLE[kind]
        return {"string": _string, "array": self._array, "object": self._object}[kind](schema)

    def _place(self, schema: Schema) -> str:
        return self._rule(self._expression(schema))

    def _array(self, schema: Schema) -> str:
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        if most == 0:
            return '"[]"'
        item = self._place(schema["items"])
        more = self._rule(f"{_COMMA} {item}")
        items = f"{item} {more}{_times(max(0, least - 1), None if most is None else most - 1)}"
        return f'"[" {items} "]"' if least else f'"[" ({items})? "]"'

    def _object(self, schema: Schema) -> str:
        if "additionalProperties" in schema:
            value = self._place(schema["additionalProperties"])
            pair = self._rule(f'"\\"" char* "\\"" ": " {value}')
            return f'"{{" ({pair} ({_COMMA} {pair})*)? "}}"'
        pairs = [
            (self._pair(name, value), name in schema["required"])
            for name, value in schema["properties"].items()
        ]
        return f'"{{" {self._first(pairs)} "}}"'

    def _pair(self, name: str, value: Schema) -> str:
        key = literal(msgspec.json.encode(name).decode() + ": ")
        return self._rule(f"{key} {self._place(value)}")

    def _first(self, pairs: list[tuple[str, bool]]) -> str:
        """The properties in their order; each may be the first if all before it may be missing."""
        first = later = _NOTHING
        for pair, required in reversed(pairs):
            begun = f"{pair} {later}"
            first = begun if required else self._rule(f"{begun} | {first}")
            follows = f"{_COMMA} {pair}"
            later = self._rule(f"{follows if required else f'({follows})?'} {later}")
        return first


def _string(schema: Schema) -> str:
    if "pattern" not in schema:
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        return f'"\\"" char{_times(least, most)} "\\""' if most != 0 else r'"\"\""'
    parts = [
        f"{text if len(text) > 1 else literal(text)}{_times(least, most)}"
        for text, least, most in schema["pattern"]
        if most != 0
    ]
    return " ".join([r'"\""', *parts, r'"\""'])


def _times(least: int, most: int | None) -> str:
    if most is None:
        return "*" if least == 0 else f"{{{least},}}"
    return f"{{{least},{most}}}"


def literal(text: str) -> str:
    """A text as the notation quotes it; JSON has no line feeds that would need more."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def words(texts: Iterable[str]) -> str:
    """One of some texts; what they begin with is written once, so that few ways stay open."""
    return _words(sorted(set(texts)))


def _words(texts: list[str]) -> str:
    ways = []
    for _, group in groupby(texts, key=lambda text: text[:1]):
        alike = list(group)
        # The first and the last of those in order have in common what all have.
        shared = _shared(alike[0], alike[-1])
        ends = [text[len(shared) :] for text in alike]
        if shared:
            ways.append(literal(shared) + ("" if ends == [""] else f" {_words(ends)}"))
    text = f"({' | '.join(ways)})"
    return f"{text}?" if "" in texts else text


def _shared(first: str, last: str) -> str:
    """What both begin with."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return first[: sum(1 for _ in same)]
