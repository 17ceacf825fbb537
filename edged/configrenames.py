"""Keys and values of older configurations, read as what they are called today."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from edged.sections import Problem
from edged.yamltree import Entry, Mapping, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edged.yamltree import Tree

Plain: TypeAlias = str | int | float | bool | None


class Rename(msgspec.Struct, frozen=True, kw_only=True):
    """A key as older versions had it.

    Attributes:
        section: Where it stands, such as `model.download`; empty for the top.
        old: Its name then.
        new: Its name today; `old` again where only values are others.
        values: Values then and today; all others are taken as they are.
    """

    section: str
    old: str
    new: str
    values: tuple[tuple[Plain, Plain], ...] = ()

    def path(self, key: str) -> str:
        """The key with its section, as messages call it."""
        return f"{self.section}.{key}".lstrip(".")


RENAMES = (
    # a model may be timed both ways, so whether is no longer a yes or no
    Rename(section="engine", old="repack", new="repack", values=((True, "on"), (False, "off"))),
)


class Renewed(msgspec.Struct, frozen=True):
    """A configuration in the words of today.

    Attributes:
        tree: What is to be read.
        notes: What was read as something else.
        problems: What stands there in the old and in the new words.
    """

    tree: Tree
    notes: tuple[Problem, ...]
    problems: tuple[Problem, ...]


def renewed(tree: Tree, source: str, renames: Sequence[Rename] = RENAMES) -> Renewed:
    """The same configuration without words of older versions.

    Args:
        tree: As it stands in the file.
        source: What to call the file.
        renames: What is called otherwise today.
    """
    notes: list[Problem] = []
    problems: list[Problem] = []
    for rename in renames:
        one = _Renewal(rename, source)
        tree = one.within(tree, [name for name in rename.section.split(".") if name])
        notes += one.notes
        problems += one.problems
    return Renewed(tree, tuple(notes), tuple(problems))


class _Renewal:
    """One rename, applied wherever it fits."""

    def __init__(self, rename: Rename, source: str) -> None:
        self._rename = rename
        self._source = source
        self.notes: list[Problem] = []
        self.problems: list[Problem] = []

    def within(self, tree: Tree, section: list[str]) -> Tree:
        """The tree with the section at that path renewed."""
        if not isinstance(tree, Mapping):
            return tree  # a mistake, and the reader's to tell
        if not section:
            return Mapping(tree.line, tuple(self._entries(tree.entries)))
        inner = (
            Entry(entry.line, entry.key, self.within(entry.value, section[1:]))
            if entry.key == section[0]
            else entry
            for entry in tree.entries
        )
        return Mapping(tree.line, tuple(inner))

    def _entries(self, entries: Sequence[Entry]) -> Iterator[Entry]:
        rename = self._rename
        today = next((entry for entry in entries if entry.key == rename.new), None)
        for entry in entries:
            value = self._value(entry.value)
            if entry.key != rename.old or (rename.old == rename.new and value is entry.value):
                yield entry
            elif rename.old != rename.new and today is not None:
                self._both(entry.line, today.line)
            else:
                self._note(entry, value)
                yield Entry(entry.line, rename.new, value)

    def _value(self, tree: Tree) -> Tree:
        if not isinstance(tree, Scalar):
            return tree
        for then, today in self._rename.values:
            if type(then) is type(tree.value) and then == tree.value:  # 1 is not true
                return Scalar(tree.line, today)
        return tree

    def _both(self, line: int, other: int) -> None:
        new = self._rename.path(self._rename.new)
        message = f"is called {new} today, in line {other} too: remove one"
        self.problems.append(self._said(line, message))

    def _note(self, entry: Entry, value: Tree) -> None:
        # what an owner wrote is not quoted, only what our own table makes of it
        translated = isinstance(value, Scalar) and value is not entry.value
        read = f": {value.value}" if isinstance(value, Scalar) and translated else ""
        new = self._rename.path(self._rename.new)
        message = f"is of an older version, and read as `{new}{read}`"
        self.notes.append(self._said(entry.line, message))

    def _said(self, line: int, message: str) -> Problem:
        return Problem(self._rename.path(self._rename.old), line, message, self._source)
