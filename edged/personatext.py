"""The text of a persona: what stays the same is read once, what is filled in comes last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = r"[a-z0-9_-]{1,32}"  # of a persona, and of a field

_GAP = re.compile(r"\n[ \t]*(?=\n)")  # the end of a line before an empty one
_FIELD = re.compile(rf"\{{\{{[ \t]*({NAME})[ \t]*\}}\}}")


def parts(system: str) -> tuple[str, str]:
    """What stays the same, and the snapshot: all from the first paragraph with a `{{ }}` on.

    If nothing stands before that paragraph, the snapshot begins with the line. Both are without
    white space around them; the snapshot is empty where nothing is filled in.
    """
    found = system.find("{{")
    if found < 0:
        return system.strip(), ""
    line = system.rfind("\n", 0, found) + 1
    paragraph = max((gap.end() for gap in _GAP.finditer(system, 0, line)), default=0)
    start = paragraph if system[:paragraph].strip() else line
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
