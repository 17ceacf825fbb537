"""Templates that expand to many sentences: ``{a|b}`` is a choice, ``[name]`` a field."""

import re
from collections.abc import Sequence
from random import Random

_CHOICE = re.compile(r"\{([^{}]*)\}")
_FIELD = re.compile(r"\[(\w+)\]")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeio]\w|umb|up)")


def capital(text: str) -> str:
    """Return `text` with its first letter in upper case and the rest untouched."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """Return `text` ready to follow a comma; "I" and what starts with it stay."""
    return text if re.match(r"I\b|[A-Z]{2}", text) else text[:1].lower() + text[1:]


def spin(rng: Random, template: str, **fields: str) -> str:
    """Expand every choice of `template`, innermost first, then fill in its fields.

    ``[Name]`` is the field ``name`` with a capital first letter. Values may hold
    braces and brackets: they are inserted last and never expanded.

    Raises:
        KeyError: the template names a field that was not given.
    """
    text = template
    while match := _CHOICE.search(text):
        picked = rng.choice(match[1].split("|"))
        text = text[: match.start()] + picked + text[match.end() :]
    filled = _FIELD.sub(lambda match: _field(match[1], fields), text)
    return _ARTICLE.sub(r"\1n ", filled)


def _field(name: str, fields: dict[str, str]) -> str:
    if name[0].isupper():
        return capital(fields[name.lower()])
    return fields[name]


def listing(words: Sequence[str]) -> str:
    """Join words as English does: "a", "a and b", "a, b and c"."""
    if not words[1:]:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


def maybe(rng: Random, chance: float, text: str) -> str:
    """Return `text` with the given probability, otherwise nothing."""
    return text if rng.random() < chance else ""
