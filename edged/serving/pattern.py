"""The regular expressions that a schema may hold: characters and classes, each repeated or not.

Nothing branches and nothing looks back, so that nobody has to guard against what a pattern costs,
and none of the characters has to be escaped in JSON.
"""

from __future__ import annotations

import re

from msgspec import Struct

# A hundred characters describe any id, time or number of a house.
MAX_PATTERN_CHARS = 200

_RANGE = r"[A-Za-z0-9](?:-[A-Za-z0-9])?"
_CLASS = rf"\[(?:{_RANGE}|[ _.,:;/+#@%])+-?\]"
_LITERAL = r"[A-Za-z0-9 _,:;/#@%=-]|\\[-.+*?()\[\]{}|/^$]"
_ATOM = re.compile(
    rf"(?P<class>{_CLASS})|(?P<literal>{_LITERAL})",
)
_TIMES = re.compile(r"(?P<mark>[?*+])|\{(?P<least>[0-9]{1,4})(?P<comma>,(?P<most>[0-9]{1,4})?)?\}")
_MARKS: dict[str, tuple[int, int | None]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}
_RANGES = re.compile(r"([A-Za-z0-9])-([A-Za-z0-9])")


class Atom(Struct, frozen=True):
    """One part of a pattern.

    Attributes:
        text: A character, or a class in brackets, which is longer.
        least: How often it comes at least.
        most: At most; None: any number.
    """

    text: str
    least: int = 1
    most: int | None = 1

    @property
    def ways(self) -> int:
        """In how many numbers it may come; any number is one way, for nobody has to count."""
        return 1 if self.most is None else self.most - self.least


def atoms(pattern: object) -> tuple[Atom, ...] | str:
    """The parts of a pattern, or what is wrong with it."""
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_CHARS:
        return f"not a text of at most {MAX_PATTERN_CHARS} characters"
    if not pattern.startswith("^") or not pattern.endswith("$"):
        return "it has to begin with ^ and to end with $"
    found: list[Atom] = []
    place, end = 1, len(pattern) - 1
    while place < end:
        part = _ATOM.match(pattern, place, end)
        if part is None:
            return f"not supported from character {place} on"
        times = _TIMES.match(pattern, part.end(), end)
        least, most = (1, 1) if times is None else _times(times)
        if (most is not None and least > most) or not _ordered(part[0]):
            return f"from large to small at character {place}"
        found.append(Atom(part["class"] or part[0][-1], least, most))
        place = part.end() if times is None else times.end()
    return tuple(found)


def _times(match: re.Match[str]) -> tuple[int, int | None]:
    if match["mark"]:
        return _MARKS[match["mark"]]
    least = int(match["least"])
    if match["comma"] is None:
        return least, least
    return least, None if match["most"] is None else int(match["most"])


def _ordered(text: str) -> bool:
    """Whether each range of a class goes from small to large."""
    return len(text) == 1 or all(first <= last for first, last in _RANGES.findall(text))
