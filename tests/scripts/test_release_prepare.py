from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from scripts import release_prepare
from scripts.release_check import faults, texts

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2026, 12, 24)
MAINTAINER = "A <a@b.example>"
OLD = """edged (0.1.0) trixie; urgency=medium

  * First.

 -- B <b@b.example>  Sat, 28 Nov 2026 12:00:00 +0000
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("edged", "debian"):
        (tmp_path / name).mkdir()
    (tmp_path / "edged/__init__.py").write_text('"""edged."""\n\n__version__ = "0.1.0"\n')
    (tmp_path / "debian/changelog").write_text(OLD)
    (tmp_path / "debian/control").write_text(f"Source: edged\nMaintainer: {MAINTAINER}\n")
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n## 0.1.0 (unreleased)\n\n- All.\n")
    return tmp_path


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_what_is_prepared_is_fit(tree: Path, version: str) -> None:
    release_prepare.prepare(tree, version, str(DAY))
    made = texts(tree)
    assert made.version == version
    assert list(faults(made)) == []
    assert f"## {version} (2026-12-24)" in made.changes
    assert f" -- {MAINTAINER}  Thu, 24 Dec 2026 12:00:00 +0000" in made.debian
    again = release_prepare.prepare(tree, version, str(DAY))
    assert texts(tree) == made
    assert again[0] == "edged/__init__.py"


def test_the_entry_of_an_older_version_stays() -> None:
    made = release_prepare.debian(OLD, "0.2.0", DAY, MAINTAINER)
    assert made.startswith("edged (0.2.0) trixie; urgency=medium\n")
    assert made.endswith(OLD)


def test_what_was_not_released_becomes_the_release() -> None:
    made = release_prepare.debian(OLD.replace("trixie", "UNRELEASED"), "0.2.0", DAY, MAINTAINER)
    assert made.count("edged (") == 1
    assert "UNRELEASED" not in made


@pytest.mark.parametrize(
    ("version", "day", "told"),
    [("1", "2026-12-24", "X.Y.Z"), ("0.1.0", "24.12.", "YYYY-MM-DD"), ("0.2.0", "2026-12-24", "")],
)
def test_nothing_is_written_of_what_cannot_be(
    tree: Path, version: str, day: str, told: str
) -> None:
    if not told:
        (tree / "CHANGELOG.md").write_text("# Changes\n\n## 0.1.0 (2026-01-01)\n")
        told = "no heading"
    before = texts(tree)
    with pytest.raises(release_prepare.PrepareError, match=told):
        release_prepare.prepare(tree, version, day)
    assert texts(tree) == before
