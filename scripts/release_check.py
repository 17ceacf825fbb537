"""Tells the first thing that keeps this tree from being released, or nothing.

`python -m scripts.release_check` exits with 1 and the reason, or prints the version; with `--dry`
it only looks whether versions agree. The version is written in edged/__init__.py: pyproject.toml
takes it from there, all else is compared with it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SOURCE = "edged/__init__.py"
NAMED = ("debian/changelog", "CHANGELOG.md")
# What the long tests of a release write when they pass says nothing of what they tested.
NOT_STAMPS = ("--", ".", ":(exclude)tests/*/stamp")


class Tree(NamedTuple):
    """What is judged.

    Attributes:
        version: As edged/__init__.py has it.
        debian: The text of debian/changelog.
        changes: The text of CHANGELOG.md.
        status: What `git status --porcelain` prints.
        tags: Names of git's tags.
    """

    version: str
    debian: str
    changes: str
    status: str = ""
    tags: tuple[str, ...] = ()


def disagreements(tree: Tree) -> Iterator[str]:
    """Where another version is written than in edged/__init__.py."""
    patterns = (r"edged \((\S+)\) ", r"^## (\S+)")
    for file, pattern, text in zip(NAMED, patterns, (tree.debian, tree.changes), strict=True):
        found = re.search(pattern, text, re.MULTILINE)
        first = "no version" if found is None else found[1]
        if first != tree.version:
            yield f"{file} begins with {first}, and {SOURCE} says {tree.version}"


def faults(tree: Tree) -> Iterator[str]:
    """What is to be mended before a release, the first thing first."""
    yield from disagreements(tree)
    if re.match(r"edged \(\S+\) UNRELEASED;", tree.debian):
        yield "debian/changelog says UNRELEASED: dch --release"
    day = rf"^## {re.escape(tree.version)} \(\d{{4}}-\d\d-\d\d\)$"
    if not re.search(day, tree.changes, re.MULTILINE):
        yield f"CHANGELOG.md has no day of release: write `## {tree.version} (YYYY-MM-DD)`"
    if tree.status:
        files = tree.status.splitlines()
        more = f", and {len(files) - 1} more" if files[1:] else ""
        yield f"{files[0][3:]} is not committed{more}"
    if f"v{tree.version}" in tree.tags:
        yield f"the tag v{tree.version} is there already: write the next version into {SOURCE}"


def read(root: Path) -> Tree:
    """Reads a checkout, of which git tells what is not committed."""
    status = _git(root, "status", "--porcelain", *NOT_STAMPS)
    return texts(root)._replace(status=status, tags=tuple(_git(root, "tag").split()))


def texts(root: Path) -> Tree:
    """Reads what names a version."""
    source, debian, changes = (
        (root / name).read_text(encoding="utf-8") for name in (SOURCE, *NAMED)
    )
    version = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    return Tree("no version" if version is None else version[1], debian, changes)


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603


if __name__ == "__main__":
    checked = read(ROOT)
    dry = "--dry" in sys.argv[1:]
    for fault in disagreements(checked) if dry else faults(checked):
        sys.exit(f"release: {fault}")
    sys.stdout.write(f"{checked.version}\n")
