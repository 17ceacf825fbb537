"""Which machines CI boots: those whose inputs changed, by a make and an apt-get that only tell."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts import stamp
from tests.machine import conftest as machine
from tests.pi import conftest as pi
from tests.scripts.test_release import copy, program
from tests.scripts.test_release_check import git

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process
TELLS = """#!/bin/sh
echo "${0##*/} $* ${INSTALL_MISSING:-}" >> "$ASKED"
[ "$1" != "$FAILS" ]
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree on which both have passed."""
    copy(tmp_path, "scripts/due")
    copy(tmp_path, "scripts/stamp.py")
    for name in ("make", "apt-get"):
        program(tmp_path / "bin" / name, TELLS)
    program(tmp_path / "bin" / "id", "#!/bin/sh\necho ${ID:-0}\n")
    for name in stamp.INPUTS:
        (tmp_path / "tests" / name).mkdir(parents=True)
        (tmp_path / "tests" / name / "test_it.py").write_text(name)
    git(tmp_path, "init", "-q")
    for name in stamp.INPUTS:
        stamp.main(tmp_path, ["write", name])
    return tmp_path


def due(tree: Path, **more: str) -> subprocess.CompletedProcess[str]:
    path = f"{tree / 'bin'}:{os.environ['PATH']}"
    asked = str(tree / "bin" / "asked")
    environment = {"PATH": path, "PYTHON": sys.executable, "FAILS": "", "ASKED": asked, **more}
    command = [str(tree / "scripts" / "due")]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


def asked(tree: Path) -> list[str]:
    path = tree / "bin" / "asked"
    return path.read_text().splitlines() if path.exists() else []


def test_nothing_is_booted_where_nothing_changed(tree: Path) -> None:
    assert due(tree, ID="1000").returncode == 0
    assert asked(tree) == []


@pytest.mark.parametrize(("name", "tools"), [("machine", machine.TOOLS), ("pi", pi.TOOLS)])
def test_only_what_changed_is_booted_after_what_it_needs(
    tree: Path, name: str, tools: dict[str, str]
) -> None:
    (tree / "tests" / name / "test_it.py").write_text("other")
    done = due(tree)
    assert done.returncode == 0
    assert f"make test-{name}, and commit its stamp" in done.stderr
    deb, packages, test = asked(tree)
    assert (deb.split(), test.split()) == (["make", "deb", "1"], ["make", f"test-{name}"])
    assert set(tools.values()) <= set(packages.split())


def test_a_change_of_the_package_boots_both(tree: Path) -> None:
    (tree / "debian").mkdir()
    (tree / "debian" / "rules").write_text("other")
    assert due(tree).returncode == 0
    assert [line.split()[1] for line in asked(tree)[2:]] == ["test-machine", "test-pi"]


@pytest.mark.parametrize("target", ["deb", "install", "test-machine"])
def test_it_ends_with_the_first_that_fails(tree: Path, target: str) -> None:
    (tree / "tests" / "machine" / "test_it.py").write_text("other")
    (tree / "tests" / "pi" / "test_it.py").write_text("other")
    assert due(tree, FAILS=target).returncode != 0
    assert asked(tree)[-1].split()[1] == target


def test_who_cannot_boot_is_told(tree: Path) -> None:
    (tree / "tests" / "pi" / "test_it.py").write_text("other")
    done = due(tree, ID="1000")
    assert done.returncode == 1
    assert "only root" in done.stderr
    assert asked(tree) == []
