"""The words of a JSON Schema that are understood, and how much of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from edged.serving.bad import fail
from edged.serving.text import quote

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    Schema = dict[str, Any]

# llama.cpp makes 100 MB of rules of 5,000 levels, and a schema of a house has a few KB.
MAX_BYTES = 32768
# With all references followed and each integer of a range named.
MAX_PLAIN_CHARS = 65536
# Objects and arrays in one another; each is a level for the model to remember, too.
MAX_LEVELS = 8
# Schemas within the schema once references are followed: two references in each of twenty
# definitions would be a million.
MAX_PLACES = 512
# References on the way to one place; Python calls twice for each.
MAX_FOLLOWED = 32
MAX_PROPERTIES = 64
MAX_ALTERNATIVES = 16
# Values of one enum, and of one range of integers: a byte has 256, per mille 1,001.
MAX_VALUES = 1024
MAX_ALL_VALUES = 4096
# Of a property's name or a value; the grammar of values nests as deep as they are long.
MAX_TEXT_CHARS = 256
MAX_ALL_CHARS = 32768
# Of a string in characters, or an array in items. llama.cpp makes a rule for each of them, and
# refuses to repeat anything more often than 2,000 times.
MAX_REPEATS = 1024
MAX_ALL_REPEATS = 16384
# Ways open at once in a pattern: with thousands ([a-z]{0,1000} a dozen times) a token takes
# llama.cpp half a second, with 256 a millisecond.
MAX_WAYS = 256
# Beyond it not every reader of JSON keeps an integer.
MAX_INTEGER = 2**53

DEFINITIONS = ("$defs", "definitions")
KEYWORDS = MappingProxyType(
    {
        "object": frozenset(["properties", "required", "additionalProperties"]),
        "array": frozenset(["items", "minItems", "maxItems"]),
        "string": frozenset(["minLength", "maxLength", "pattern"]),
        "integer": frozenset(["minimum", "maximum"]),
        "number": frozenset(["minimum"]),
        "boolean": frozenset(),
        "null": frozenset(),
    }
)
# Those of which a value can be named.
SCALARS = MappingProxyType(
    {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "null": (type(None),),
    }
)
_NOTES = frozenset(
    ["$comment", "$id", "$schema", "default", "deprecated", "description", "examples", "title"]
)


def kinds_of(schema: Schema, at: str) -> tuple[str, ...]:
    """The types that are named; what has properties or items needs no name."""
    kinds = schema.get("type", [kind for kind in ("object", "array") if KEYWORDS[kind] & {*schema}])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not isinstance(kinds, list) or not kinds:
        refuse(at, "a type is missing")
    for kind in kinds:
        if not isinstance(kind, str) or kind not in KEYWORDS:
            refuse(f"{at}/type", f"there is no type {quote(str(kind))}")
    return tuple(dict.fromkeys(kinds))


def check_known(schema: Schema, at: str, keywords: AbstractSet[str]) -> None:
    """Refuse the first keyword that is neither one of these nor a note for people."""
    for keyword in schema:
        if keyword not in keywords and keyword not in _NOTES:
            refuse(f"{at}/{step(keyword)}", "this keyword is not supported here")


def is_of(value: Any, kind: str) -> bool:
    """Whether a value is of a type; in Python a truth value is an integer as well."""
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return False
    return isinstance(value, SCALARS.get(kind, ()))


def step(name: str) -> str:
    """A name as a step of a JSON pointer, harmless and not too long."""
    return quote(name.replace("~", "~0").replace("/", "~1"))[1:-1]


def refuse(at: str, what: str) -> NoReturn:
    """Say what is wrong at a JSON pointer.

    Raises:
        Bad: With the code bad_schema.
    """
    fail("bad_schema", f"schema: {what} ({at or 'at its root'})")
