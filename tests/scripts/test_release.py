"""A release of a small tree, with a make, a repository and packages that take no time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.scripts.test_release_check import ROOT, checkout, git

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg"),
]
MAKE = """#!/bin/sh
echo "$@" >> build/asked
[ "$1" != "$FAILS" ] || exit 3
if [ "$1" = deb ]; then cp built/*.deb build/; cp built/edged_* build/deb/; fi
"""
REPOSITORY = """#!/bin/sh
mkdir -p "$1/pool"
echo secret > "$1-key.asc"
shift
cp "$@" build/apt/pool/
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("scripts/release", "scripts/release_check.py", "scripts/sbom.py"):
        copy(tmp_path, name)
    for name in ("scripts/spdx.py", "scripts/llama.mk", "debian/copyright"):
        copy(tmp_path, name)
    copy(tmp_path, "edged/data/pocket.gguf")
    program(tmp_path / "scripts" / "apt-repo", REPOSITORY)
    program(tmp_path / "bin" / "make", MAKE)
    program(tmp_path / "bin" / "id", "#!/bin/sh\necho ${ID:-0}\n")
    for architecture in ("amd64", "arm64"):
        package(tmp_path / "built", architecture)
    for ending in ("dsc", "tar.xz"):
        (tmp_path / "built" / f"edged_1.2.0.{ending}").write_text(ending)
    (tmp_path / "build" / "deb").mkdir(parents=True)
    (tmp_path / "build" / "edged_1.1.0_arm64.deb").touch()
    (tmp_path / ".gitignore").write_text("build\n__pycache__\n")
    checkout(tmp_path)
    return tmp_path


def copy(tree: Path, name: str) -> None:
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / name, tree / name)


def program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def package(folder: Path, architecture: str) -> None:
    control = folder / architecture / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.parent.chmod(0o755)
    control.write_text(
        f"Package: edged\nVersion: 1.2.0\nArchitecture: {architecture}\n"
        "Maintainer: A <a@b.example>\nDepends: libc6\nDescription: short\n"
    )
    target = folder / f"edged_1.2.0_{architecture}.deb"
    command = ["dpkg-deb", "--build", "--root-owner-group", str(control.parents[1]), str(target)]
    subprocess.run(command, check=True, capture_output=True)


def release(tree: Path, **more: str) -> subprocess.CompletedProcess[str]:
    path = f"{tree / 'bin'}:{os.environ['PATH']}"
    environment = {"PATH": path, "PYTHON": sys.executable, "FAILS": "", **more}
    command = [str(tree / "scripts" / "release")]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


def asked(tree: Path) -> list[str]:
    path = tree / "build" / "asked"
    return path.read_text().splitlines() if path.exists() else []


def test_everything_is_made_in_turn_and_summed(tree: Path) -> None:
    done = release(tree)
    assert (done.returncode, done.stderr) == (0, "")
    assert asked(tree) == ["test", "deb", "test-machine", "test-pi"]
    build = tree / "build"
    summed = [line.split()[1] for line in (build / "SHA256SUMS").read_text().splitlines()]
    packages = ["edged_1.2.0_amd64.deb", "edged_1.2.0_arm64.deb"]
    assert summed == [
        *(f"apt/pool/{name}" for name in packages),
        "deb/edged_1.2.0.dsc",
        "deb/edged_1.2.0.tar.xz",
        "edged_1.2.0.spdx.json",
        *packages,
    ]
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], check=True, cwd=build)
    materials = json.loads((build / "edged_1.2.0.spdx.json").read_text())
    built = [one["packageFileName"] for one in materials["packages"] if one["name"] == "edged"]
    assert built == packages


@pytest.mark.parametrize("target", ["test", "deb", "test-machine", "test-pi"])
def test_it_ends_with_the_first_that_fails(tree: Path, target: str) -> None:
    assert release(tree, FAILS=target).returncode == 3
    assert asked(tree)[-1] == target
    assert not (tree / "build" / "SHA256SUMS").exists()


def test_nothing_begins_in_a_tree_that_is_not_fit(tree: Path) -> None:
    (tree / "CHANGELOG.md").write_text("## 1.2.0 (2026-12-02)\n")
    done = release(tree)
    assert done.returncode == 1
    assert done.stderr == "release: CHANGELOG.md is not committed\n"
    git(tree, "checkout", "CHANGELOG.md")
    assert release(tree, ID="1000").stderr.startswith("release: test-machine and test-pi boot")
    assert asked(tree) == []


def test_a_rehearsal_asks_for_no_day_and_no_commit(tree: Path) -> None:
    changes = tree / "CHANGELOG.md"
    changes.write_text(re.sub(r"\(\d{4}-\d\d-\d\d\)", "(unreleased)", changes.read_text()))
    assert release(tree).returncode == 1
    assert asked(tree) == []
    done = release(tree, DRY="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "release-commit VERSION=1.2.0" in done.stdout
    assert (tree / "build" / "SHA256SUMS").exists()
