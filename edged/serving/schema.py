"""A JSON Schema from the wire to a plain one that the engine's grammar can keep to the letter.

An answer that obeys half a schema does not obey it: what is not understood is refused by name. The
plain one has no references, no recursion and no text that is not counted, so that a grammar of it
is small whatever came in.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from edged.serving import scalars
from edged.serving.schemawords import (
    DEFINITIONS,
    KEYWORDS,
    MAX_ALTERNATIVES,
    MAX_BYTES,
    MAX_FOLLOWED,
    MAX_INTEGER,
    MAX_LEVELS,
    MAX_PLAIN_CHARS,
    MAX_PROPERTIES,
    check_known,
    kinds_of,
    refuse,
    step,
)
from edged.serving.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edged.serving.schemawords import Schema

_SCALARS = MappingProxyType(
    {"string": scalars.string, "integer": scalars.integer, "number": scalars.number}
)
_REFERENCE_STEPS = 3  # "#", "$defs", a name


def plain(schema: Schema) -> str:
    """The plain form of a schema as JSON.

    Args:
        schema: As decoded from the wire.

    Raises:
        Bad: With the code bad_schema and the JSON pointer to what is wrong.
    """
    size = len(msgspec.json.encode(_encodable(schema)))
    if size > MAX_BYTES:
        refuse("", f"{size} bytes, the limit is {MAX_BYTES}")
    definitions = {key: schema[key] for key in DEFINITIONS if key in schema}
    rest = {key: value for key, value in schema.items() if key not in DEFINITIONS}
    text = msgspec.json.encode(_Reader(definitions).place(rest, "", 0)).decode()
    if len(text) > MAX_PLAIN_CHARS:
        refuse("", f"{len(text)} characters with references and ranges written out")
    return text


class _Reader:
    """Walks through a schema once and counts what it finds.

    Args:
        definitions: What references may point to, by keyword.
    """

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._following: list[str] = []
        self._budget = scalars.Budget()

    def place(self, schema: Any, at: str, level: int) -> Schema:
        """The plain form of what stands at the JSON pointer `at`, in `level` others."""
        if not isinstance(schema, dict):
            refuse(at, "not a JSON object; say what may stand here")
        self._budget.spend("schemas", 1, at)
        if "$ref" in schema:
            return self._follow(schema, at, level)
        if "enum" in schema or "const" in schema:
            return scalars.values(schema, at, self._budget)
        if "anyOf" in schema:
            return self._any_of(schema, at, level)
        kinds = kinds_of(schema, at)
        check_known(schema, at, {"type"}.union(*(KEYWORDS[kind] for kind in kinds)))
        return _either([self._one(kind, schema, at, level) for kind in kinds])

    def _follow(self, schema: Schema, at: str, level: int) -> Schema:
        check_known(schema, at, {"$ref"})
        at, ref = f"{at}/$ref", schema["$ref"]
        parts = ref.split("/") if isinstance(ref, str) else []
        if len(parts) != _REFERENCE_STEPS or parts[0] != "#":
            refuse(at, "only #/$defs/NAME and #/definitions/NAME are followed")
        keyword, name = parts[1], parts[2].replace("~1", "/").replace("~0", "~")
        found = self._definitions.get(keyword)
        if not isinstance(found, dict) or name not in found:
            refuse(at, f"there is no {quote(ref)}")
        if ref in self._following or len(self._following) >= MAX_FOLLOWED:
            refuse(at, f"{quote(ref)} holds itself, or too many others; an answer has to end")
        self._following.append(ref)
        try:
            return self.place(found[name], f"/{keyword}/{step(name)}", level)
        finally:
            self._following.pop()

    def _any_of(self, schema: Schema, at: str, level: int) -> Schema:
        check_known(schema, at, {"anyOf"})
        at, options = f"{at}/anyOf", schema["anyOf"]
        if not isinstance(options, list) or not 1 <= len(options) <= MAX_ALTERNATIVES:
            refuse(at, f"not a list of 1 to {MAX_ALTERNATIVES} schemas")
        return _either([self.place(option, f"{at}/{n}", level) for n, option in enumerate(options)])

    def _one(self, kind: str, schema: Schema, at: str, level: int) -> Schema:
        if kind in _SCALARS:
            return _SCALARS[kind](schema, at, self._budget)
        if kind not in {"object", "array"}:
            return {"type": kind}
        if level >= MAX_LEVELS:
            refuse(at, f"more than {MAX_LEVELS} objects and arrays in one another")
        read = self._object if kind == "object" else self._array
        return read(schema, at, level)

    def _object(self, schema: Schema, at: str, level: int) -> Schema:
        properties = schema.get("properties", {})
        if not isinstance(properties, dict) or len(properties) > MAX_PROPERTIES:
            refuse(f"{at}/properties", f"not an object of at most {MAX_PROPERTIES} properties")
        required = schema.get("required", [])
        if not isinstance(required, list) or not _are_names(required, properties):
            refuse(f"{at}/required", "not a list of names of the properties")
        places: Schema = {}
        for name, value in properties.items():
            where = f"{at}/properties/{step(name)}"
            self._budget.text(name, where)
            places[name] = self.place(value, where, level + 1)
        others = self._others(schema, at, level)
        return {"type": "object", "properties": places, "required": required, **others}

    def _others(self, schema: Schema, at: str, level: int) -> Schema:
        """What properties hold that have no name here; there are none unless it is said."""
        others, where = schema.get("additionalProperties", False), f"{at}/additionalProperties"
        if others is False and "properties" in schema:
            return {}
        if schema.get("properties"):
            # A name that is a property's already would come twice, and the last one counts.
            refuse(where, "not supported beside properties")
        if others is False:
            refuse(at, "an object needs properties or additionalProperties")
        return {"additionalProperties": self.place(others, where, level + 1)}

    def _array(self, schema: Schema, at: str, level: int) -> Schema:
        if "items" not in schema:
            refuse(at, "an array needs items")
        bounds = scalars.bounds(schema, ("minItems", "maxItems"), at, self._budget)
        items = self.place(schema["items"], f"{at}/items", level + 1)
        return {"type": "array", "items": items, **bounds}


def _are_names(required: list[Any], properties: Schema) -> bool:
    return all(isinstance(name, str) and name in properties for name in required)


def _either(options: Sequence[Schema]) -> Schema:
    return options[0] if len(options) == 1 else {"anyOf": list(options)}


def _encodable(value: Any) -> Any:
    """The value with integers that no encoder takes as text; they are refused where they matter."""
    if isinstance(value, dict):
        return {key: _encodable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return str(value) if isinstance(value, int) and abs(value) > MAX_INTEGER else value
