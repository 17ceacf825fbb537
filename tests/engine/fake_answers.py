"""What the fake engine answers where its script says nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def scores(choices: Sequence[str], prompt: str) -> tuple[float, ...]:
    """Of each choice: those that the prompt names are likelier, and the first ones of them most."""
    return tuple(
        -1.0 - place - 10.0 * (choice not in prompt) for place, choice in enumerate(choices)
    )


def obedient(schema: str) -> str:
    """The plainest answer that obeys a plain schema."""
    return json.dumps(plainest(json.loads(schema)))


def plainest(schema: dict[str, Any]) -> Any:
    """A value that obeys a schema without a pattern."""
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return plainest(schema["anyOf"][0])
    match schema["type"]:
        case "object":
            return {name: plainest(it) for name, it in schema["properties"].items()}
        case "array":
            return [plainest(schema["items"])] * schema.get("minItems", 0)
        case "string":
            return "x" * schema.get("minLength", 0)
        case kind:
            return {"boolean": False, "null": None}.get(kind, 0)
