"""Values of a schema that hold no other: texts, numbers, and what is named one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edged.serving import pattern
from edged.serving.schemawords import (
    MAX_ALL_CHARS,
    MAX_ALL_REPEATS,
    MAX_ALL_VALUES,
    MAX_PLACES,
    MAX_REPEATS,
    MAX_TEXT_CHARS,
    MAX_VALUES,
    MAX_WAYS,
    SCALARS,
    check_known,
    is_of,
    kinds_of,
    refuse,
)

if TYPE_CHECKING:
    from edged.serving.schemawords import Schema


class Budget:
    """What the whole of a schema may still hold."""

    def __init__(self) -> None:
        self._left = {
            "schemas": MAX_PLACES,
            "values": MAX_ALL_VALUES,
            "characters": MAX_ALL_CHARS,
            "repetitions": MAX_ALL_REPEATS,
        }

    def spend(self, what: str, many: int, at: str) -> None:
        """Count so many more, found at a JSON pointer."""
        self._left[what] -= many
        if self._left[what] < 0:
            refuse(at, f"too many {what} in the whole of it")

    def text(self, text: str, at: str) -> None:
        """Count a name or a value."""
        if len(text) > MAX_TEXT_CHARS:
            refuse(at, f"a text of {len(text)} characters, the limit is {MAX_TEXT_CHARS}")
        self.spend("characters", len(text), at)

    def repeats(self, value: Any, at: str) -> None:
        """Count a number of characters or items."""
        if not is_of(value, "integer") or not 0 <= value <= MAX_REPEATS:
            refuse(at, f"not an integer from 0 to {MAX_REPEATS}")
        self.spend("repetitions", value, at)


def bounds(schema: Schema, names: tuple[str, str], at: str, budget: Budget) -> Schema:
    """The least and the most of something, as far as they are given."""
    given = {name: schema[name] for name in names if name in schema}
    for name, value in given.items():
        budget.repeats(value, f"{at}/{name}")
    low, high = (given.get(name) for name in names)
    if low is not None and high is not None and low > high:
        refuse(f"{at}/{names[1]}", f"less than {names[0]}")
    return given


def values(schema: Schema, at: str, budget: Budget) -> Schema:
    """One of the values of an enum, or the value of a const."""
    keyword = "enum" if "enum" in schema else "const"
    check_known(schema, at, {keyword, "type"})
    named = schema["enum"] if keyword == "enum" else [schema["const"]]
    kinds = kinds_of(schema, at) if "type" in schema else tuple(SCALARS)
    at = f"{at}/{keyword}"
    if not isinstance(named, list) or not 1 <= len(named) <= MAX_VALUES:
        refuse(at, f"not a list of 1 to {MAX_VALUES} values")
    budget.spend("values", len(named), at)
    for place, value in enumerate(named):
        where = f"{at}/{place}" if keyword == "enum" else at
        if not any(is_of(value, kind) for kind in kinds):
            refuse(where, f"no value of type {' or '.join(kinds)}")
        if isinstance(value, str):
            budget.text(value, where)
    return {"enum": named}


def string(schema: Schema, at: str, budget: Budget) -> Schema:
    """A text of some length, or one that fits a pattern."""
    if "pattern" not in schema:
        return {"type": "string", **bounds(schema, ("minLength", "maxLength"), at, budget)}
    at = f"{at}/pattern"
    if "minLength" in schema or "maxLength" in schema:
        refuse(at, "not supported beside minLength and maxLength")
    atoms = pattern.atoms(schema["pattern"])
    if isinstance(atoms, str):
        refuse(at, atoms)
    for atom in atoms:
        budget.repeats(atom.least, at)
        budget.repeats(atom.most or 0, at)
    if (ways := sum(atom.ways for atom in atoms)) > MAX_WAYS:
        refuse(at, f"it leaves {ways} ways open, the limit is {MAX_WAYS}")
    return {"type": "string", "pattern": [(atom.text, atom.least, atom.most) for atom in atoms]}


def integer(schema: Schema, at: str, budget: Budget) -> Schema:
    """Any integer, those from 0 on, or each of a small range."""
    if "maximum" not in schema:
        return {**number(schema, at, budget), "type": "integer"}
    low: Any = schema.get("minimum")
    high: Any = schema["maximum"]
    at = f"{at}/maximum"
    if not is_of(low, "integer") or not is_of(high, "integer"):
        refuse(at, "a range needs a minimum and a maximum, both integers")
    if not 0 <= high - low < MAX_VALUES:
        refuse(at, f"a range has 1 to {MAX_VALUES} integers")
    budget.spend("values", high - low + 1, at)
    return {"enum": list(range(low, high + 1))}


def number(schema: Schema, at: str, budget: Budget) -> Schema:
    """Any number, or those from 0 on."""
    del budget
    if "minimum" not in schema:
        return {"type": "number"}
    if isinstance(schema["minimum"], bool) or schema["minimum"] != 0:
        refuse(f"{at}/minimum", "only 0 is supported, or a range of integers")
    return {"type": "number", "minimum": 0}
