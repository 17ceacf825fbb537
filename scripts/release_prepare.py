"""Writes version and day of a release where they belong, for one commit.

`python -m scripts.release_prepare VERSION DAY` (YYYY-MM-DD) writes edged/__init__.py, CHANGELOG.md
and debian/changelog, and prints their names. The maintainer's address is that of debian/control.
"""

from __future__ import annotations

import re
import sys
from datetime import date, datetime
from typing import TYPE_CHECKING

from scripts.release_check import NAMED, ROOT, SOURCE

if TYPE_CHECKING:
    from pathlib import Path

CONTROL = "debian/control"
ENTRY = """edged ({version}) trixie; urgency=medium

  * CHANGELOG.md in the source tells what is new.

 -- {maintainer}  {when}

"""


class PrepareError(Exception):
    """A release cannot be prepared; the text says why."""


def source(text: str, version: str) -> str:
    """edged/__init__.py with the version."""
    return re.sub(r'^__version__ = ".+"$', f'__version__ = "{version}"', text, flags=re.MULTILINE)


def changes(text: str, version: str, day: date) -> str:
    """CHANGELOG.md with the day of the release in the heading of what is not released.

    Raises:
        PrepareError: Nothing is written of what is new.
    """
    heading = rf"^## (?:\S+ \(unreleased\)|{re.escape(version)} \(.*\))$"
    made, count = re.subn(heading, f"## {version} ({day})", text, count=1, flags=re.MULTILINE)
    if not count:
        message = f"CHANGELOG.md has no heading `## {version} (unreleased)`"
        raise PrepareError(message)
    return made


def debian(text: str, version: str, day: date, maintainer: str) -> str:
    """debian/changelog with an entry of this version, of that day at noon, as the first."""
    when = f"{day:%a, %d %b %Y} 12:00:00 +0000"
    entry = ENTRY.format(version=version, maintainer=maintainer, when=when)
    first = re.match(r"edged \((\S+)\) (\S+);", text)
    if first is None or (first[1] != version and first[2] != "UNRELEASED"):
        return entry + text
    text = re.sub(r"^edged \(\S+\) \S+;", f"edged ({version}) trixie;", text, count=1)
    return re.sub(r"^ -- .*$", f" -- {maintainer}  {when}", text, count=1, flags=re.MULTILINE)


def prepare(root: Path, version: str, day: str) -> tuple[str, ...]:
    """Write all three, or nothing; their names.

    Args:
        root: Of a checkout.
        version: As X.Y.Z.
        day: As YYYY-MM-DD.

    Raises:
        PrepareError: Version or day is none, or CHANGELOG.md has no such heading.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        message = f"the version is written X.Y.Z, and not {version}"
        raise PrepareError(message)
    try:
        on = datetime.strptime(day, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError as error:
        message = f"the day is written YYYY-MM-DD, and not {day}"
        raise PrepareError(message) from error
    names = (SOURCE, *NAMED)
    texts = {name: (root / name).read_text(encoding="utf-8") for name in (*names, CONTROL)}
    found = re.search(r"^Maintainer: (.+)$", texts[CONTROL], re.MULTILINE)
    maintainer = "" if found is None else found[1]
    made = {
        SOURCE: source(texts[SOURCE], version),
        NAMED[0]: debian(texts[NAMED[0]], version, on, maintainer),
        NAMED[1]: changes(texts[NAMED[1]], version, on),
    }
    for name, text in made.items():
        (root / name).write_text(text, encoding="utf-8")
    return names


if __name__ == "__main__":
    try:
        sys.stdout.write("\n".join(prepare(ROOT, *sys.argv[1:3])) + "\n")
    except (PrepareError, TypeError) as refused:
        sys.exit(f"release: {refused}; make release-commit VERSION=X.Y.Z")
