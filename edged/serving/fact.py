"""A payload from somebody's topic to a few harmless words on one line."""

from __future__ import annotations

import re
from typing import Any

import msgspec

CUT = "…"
# Blanks fall away; of a text that is mostly blanks the beginning is enough.
_SPARE = 4
# How chat templates mark turns. The engine reads none in what it is asked, whatever its form; here
# they are broken up so that no model is taken in by the look of one.
_MARKS = re.compile(r"<(?=\|)|\|(?=>)")


def words(payload: bytes, path: str | None, most: int) -> str | None:
    """What the payload says, at most `most` characters of it; None if it says nothing.

    Args:
        payload: Any bytes.
        path: Keys and places with dots between, to a value in JSON; None takes the payload.
        most: Characters, 1 or more; what is cut ends in `CUT`.
    """
    text = payload.decode(errors="replace") if path is None else _at(payload, path)
    return None if text is None else _line(text, most) or None


def _at(payload: bytes, path: str) -> str | None:
    """The value at `path` as text."""
    try:
        value: Any = msgspec.json.decode(payload)
        for step in path.split("."):
            value = _inside(value, step)
        return value if isinstance(value, str) else _written(value)
    except (ValueError, RecursionError):  # not JSON, or nested without end
        return None


def _written(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _inside(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
        return value[int(step)]
    return None


def _line(text: str, most: int) -> str:
    begun = text[: most * _SPARE]
    # Not printable are line feeds, controls, and what turns writing around or hides it.
    plain = "".join(c if c.isprintable() else " " for c in begun)
    line = _MARKS.sub(r"\g<0> ", " ".join(plain.split()))
    if len(line) <= most and len(begun) == len(text):
        return line
    return line[: most - 1].rstrip() + CUT
