from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

import edged
from scripts.release_check import Tree, disagreements, faults, read, texts

ROOT = Path(__file__).parents[2]
GOOD = Tree(
    "1.2.0",
    "edged (1.2.0) trixie; urgency=low\n\n  * It.\n\n"
    " -- A <a@b.example>  Tue, 01 Dec 2026 12:00:00 +0000\n\n"
    "edged (1.1.0) UNRELEASED; urgency=low\n",
    "# Changes\n\n## 1.2.0 (2026-12-01)\n\n- It.\n\n## 1.1.0 (unreleased)\n",
)


def test_this_tree_has_one_version() -> None:
    tree = texts(ROOT)
    assert tree.version == edged.__version__
    assert list(disagreements(tree)) == []


def test_a_tree_that_is_fit_has_no_faults() -> None:
    assert list(faults(GOOD)) == []
    assert list(faults(GOOD._replace(tags=("v1.1.0", "v1.2.0-rc1")))) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"debian": "edged (1.1.0) trixie; urgency=low\n"},
            "debian/changelog begins with 1.1.0, and edged/__init__.py says 1.2.0",
        ),
        (
            {"changes": "## 1.3.0 (2026-12-01)\n\n## 1.2.0 (2026-12-01)\n"},
            "CHANGELOG.md begins with 1.3.0, and edged/__init__.py says 1.2.0",
        ),
        ({"debian": ""}, "debian/changelog begins with no version, and"),
        ({"debian": "edged (1.2.0) UNRELEASED; urgency=low\n"}, "says UNRELEASED"),
        ({"changes": "## 1.2.0 (unreleased)\n"}, "write `## 1.2.0 (YYYY-MM-DD)`"),
        ({"changes": "## 1.2.0\n\n## 1.1.0 (2026-12-01)\n"}, "no day of release"),
        ({"status": " M a b\n?? c\n"}, "a b is not committed, and 1 more"),
        ({"tags": ("v1.2.0",)}, "the tag v1.2.0 is there already"),
    ],
)
def test_what_is_not_right_is_told(change: dict[str, Any], said: str) -> None:
    (fault,) = faults(GOOD._replace(**change))
    assert said in fault


def test_a_file_without_a_version_agrees_with_none(tmp_path: Path) -> None:
    for name in ("edged/__init__.py", "debian/changelog", "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("version = 1\n")
    assert texts(tmp_path).version == "no version"


@pytest.mark.process
def test_git_tells_what_is_not_committed_and_what_is_tagged(tmp_path: Path) -> None:
    checkout(tmp_path)
    assert read(tmp_path) == GOOD
    git(tmp_path, "tag", "v1.2.0")
    (tmp_path / "CHANGELOG.md").write_text("## 1.2.0 (unreleased)\n")
    (tmp_path / "new").touch()
    told = list(faults(read(tmp_path)))
    assert len(told) == 3
    assert "CHANGELOG.md is not committed, and 1 more" in told[1]
    assert "v1.2.0" in told[2]


@pytest.mark.process
def test_a_stamp_of_a_long_test_is_no_change(tmp_path: Path) -> None:
    checkout(tmp_path)
    (tmp_path / "tests" / "pi").mkdir(parents=True)
    (tmp_path / "tests" / "pi" / "stamp").touch()
    assert read(tmp_path) == GOOD


def checkout(root: Path) -> None:
    """A commit that is fit to be released."""
    for name, text in (
        ("edged/__init__.py", f'"""edged."""\n\n__version__ = "{GOOD.version}"\n'),
        ("debian/changelog", GOOD.debian),
        ("CHANGELOG.md", GOOD.changes),
    ):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-q", "-m", "it")


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)
