"""Sections of YAML to frozen structs, with every mistake at once.

Text of the file is quoted back only through `shown`, which hides what could be a secret, and
never where its type says that it is private.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec.structs import fields

from edged.yamltree import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.yamltree import Entry, Tree

MAX_PROBLEMS = 50  # what a person reads at once; a wrong file would give thousands
MAX_SHOWN = 60  # characters quoted back; enough to recognise a value
HIDDEN = "(not shown)"

_SECRET = re.compile(
    r"(?:^|[_.-])(?:pass|passwd|password|passphrase|secret|token|api[_-]?key|credentials?)$",
    re.IGNORECASE,
)


class Problem(msgspec.Struct, frozen=True):
    """One mistake.

    Attributes:
        where: The key, such as `mqtt.port`; empty for the file as a whole.
        line: Counted from 1; None where no line is to blame.
        message: What is wrong and what would be right.
        source: The file, as the reader of the message knows it.
    """

    where: str
    line: int | None
    message: str
    source: str = ""

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return ": ".join(part for part in (place, self.where, self.message) if part)


def is_secret(key: str) -> bool:
    """Whether a key's name says that its value must never be shown."""
    return _SECRET.search(key) is not None


def shown(key: str, value: object) -> str:
    """A value as a message may quote it: short, escaped, and never a secret.

    A section or list is not quoted at all, for a secret may stand inside.
    """
    if is_secret(key) or isinstance(value, list | tuple | dict):
        return HIDDEN
    text = ascii(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


class Reader:
    """Walks the tree along the structs and collects problems on the way.

    Args:
        source: What to call the file in a problem.
        problems: Those that were found before.
    """

    def __init__(self, source: str, problems: Iterable[Problem] = ()) -> None:
        self._source = source
        self._lines: dict[str, int] = {}
        self._problems = list(problems)

    def report(self) -> list[Problem]:
        """The problems in the order of the file, as many as one reads."""
        found = sorted(self._problems, key=lambda problem: problem.line or 0)
        if len(found) <= MAX_PROBLEMS:
            return found
        rest = Problem("", None, f"and {len(found) - MAX_PROBLEMS} more", self._source)
        return [*found[:MAX_PROBLEMS], rest]

    def check(self, broken: Iterable[tuple[tuple[str, ...], str]]) -> None:
        """Take over the rules that are broken and that a type cannot say.

        Args:
            broken: The keys that each is about, the one to mend first, and why.
        """
        wrong = {problem.where for problem in self._problems}
        for keys, message in broken:
            if wrong.isdisjoint(keys):  # else it would judge a default in place of the mistake
                self._say(keys[0], self._first_line(keys), message)

    def section(self, tree: Tree, kind: type[msgspec.Struct], where: str) -> dict[str, Any]:
        """The valid fields of one section; an empty one has only defaults."""
        if isinstance(tree, Scalar) and tree.value is None:
            return {}
        if not isinstance(tree, Mapping):
            self._say(where, tree.line, "must be a section of keys and values")
            return {}
        types = {field.name: field.type for field in fields(kind)}
        private = any(map(_is_private, types.values()))
        values: dict[str, Any] = {}
        for entry in tree.entries:
            path = f"{where}.{entry.key}".lstrip(".")
            if entry.key not in types:
                # text that is not indented enough looks like a key
                self._say_unknown(where if private else path, entry, list(types))
            elif path in self._lines:
                first = self._lines[path]
                self._say(path, entry.line, f"stands here again, first in line {first}")
            else:
                self._lines[path] = entry.line
                values |= self._field(entry.key, entry.value, types[entry.key], path)
        return values

    def _field(self, key: str, tree: Tree, kind: Any, path: str) -> dict[str, Any]:
        sections = _sections_of(kind)
        if sections is not None:
            return {key: self._sections(tree, *sections, path)}
        struct = _struct_of(kind)
        if struct is not None:
            absent = kind is not struct and isinstance(tree, Scalar) and tree.value is None
            return {key: None if absent else struct(**self.section(tree, struct, path))}
        plain = _plain(tree)
        try:
            return {key: msgspec.convert(plain, kind)}
        except msgspec.ValidationError as error:
            quoted = HIDDEN if _is_private(kind) else shown(path, plain)
            self._say(path, tree.line, f"{_wanted(error, kind, plain)}; it is {quoted}")
            return {}

    def _sections(
        self, tree: Tree, kind: type[msgspec.Struct], most: int, path: str
    ) -> tuple[msgspec.Struct, ...]:
        """One struct for each item, a wrong one too: the rules name items by their place.

        So each field of an item has a default.
        """
        if isinstance(tree, Scalar) and tree.value is None:
            return ()
        if not isinstance(tree, Sequence):
            self._say(path, tree.line, "must be a list of sections")
            return ()
        if len(tree.items) > most:
            self._say(path, tree.line, f"has {len(tree.items)} items, and at most {most} are taken")
        found = []
        for index, item in enumerate(tree.items[:most]):
            place = f"{path}[{index}]"
            self._lines[place] = item.line
            found.append(kind(**self.section(item, kind, place)))
        return tuple(found)

    def _say_unknown(self, path: str, entry: Entry, known: list[str]) -> None:
        # what is only counted needs no search for a likeness
        counted = len(self._problems) >= MAX_PROBLEMS
        message = "unknown key" if counted else _unknown(entry.key, known)
        self._say(_printable(path), entry.line, message)

    def _say(self, where: str, line: int | None, message: str) -> None:
        self._problems.append(Problem(where, line, message, self._source))

    def _first_line(self, keys: tuple[str, ...]) -> int | None:
        return next((self._lines[key] for key in keys if key in self._lines), None)


def _struct_of(kind: Any) -> type[msgspec.Struct] | None:
    for option in (kind, *get_args(kind)):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def _sections_of(kind: Any) -> tuple[type[msgspec.Struct], int] | None:
    """What a list of sections holds, and how many at most; None for any other type."""
    if get_origin(kind) is not Annotated:
        return None
    listed, meta = get_args(kind)
    item = next(iter(get_args(listed)), None)
    if isinstance(item, type) and issubclass(item, msgspec.Struct):
        return item, meta.max_length
    return None


def _is_private(kind: Any) -> bool:
    return any((getattr(meta, "extra", None) or {}).get("private") for meta in get_args(kind)[1:])


def _plain(tree: Tree) -> Any:
    if isinstance(tree, Scalar):
        return tree.value
    if isinstance(tree, Sequence):
        return [_plain(item) for item in tree.items]
    return {entry.key: _plain(entry.value) for entry in tree.entries}


def _printable(key: str) -> str:
    return ascii(key)[1:-1][:MAX_SHOWN]


def _unknown(key: str, known: list[str]) -> str:
    if is_secret(key):
        return "a secret does not stand here: put it in a file, named by mqtt.password_file"
    close = difflib.get_close_matches(key[:MAX_SHOWN], known, n=1)
    advice = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    return f"unknown key; {advice}"


def _wanted(error: msgspec.ValidationError, kind: Any, value: object) -> str:
    """What msgspec says, in the words of a configuration."""
    if get_origin(kind) is Literal:
        return f"must be one of {', '.join(map(str, get_args(kind)))}"
    if "matching regex" in str(error):
        return f"must be {_described(kind)}"
    said, _, place = str(error).replace("`", "").partition(" - at $")
    said = said.replace("Expected", "must be").replace(" | null", "")
    for word, human in (("str", "text"), ("int", "a whole number"), ("float", "a number")):
        said = said.replace(f"must be {word}", f"must be {human}")
    item = f" at item {place}" if place else ""
    quote = isinstance(value, int | float) and "text" in said
    return f"{said}{item}{', so put it in quotes' if quote else ''}"


def _described(kind: Any) -> str:
    """What a type with a pattern says of itself; people do not read patterns."""
    options = (kind, *get_args(kind))
    metas = [meta for option in options for meta in get_args(option)[1:]]
    said = [meta.description for meta in metas if isinstance(meta, msgspec.Meta)]
    return next((text for text in said if text), "text of another form")
