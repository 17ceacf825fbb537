"""The text of a persona: what stays the same is read once, what is filled in comes last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELD = re.compile(r"\{\{[ \t]*([a-z0-9_-]{1,32})[ \t]*\}\}")


def parts(system: str) -> tuple[str, str]:
    """What stays the same, and the snapshot: all from the first line with a `{{ }}` on.

    Both without white space around them; the snapshot is empty where nothing is filled in.
    """
    found = system.find("{{")
    start = len(system) if found < 0 else system.rfind("\n", 0, found) + 1
    return system[:start].strip(), system[start:].strip()


def names(text: str) -> tuple[str, ...]:
    """The fields that `text` asks for, in its order, as often as it does."""
    return tuple(_FIELD.findall(text))


def is_torn(text: str) -> bool:
    """Whether some `{{` opens no field."""
    return "{{" in _FIELD.sub(" ", text)


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with a value for each field.

    A value is not looked into: what it holds between braces stays as it is.

    Raises:
        KeyError: There is no value for one of the fields.
    """
    return _FIELD.sub(lambda found: values[found[1]], text)
