"""Debian's own judges of a package: the tests that it brings along, and what it leaves behind."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.machine import emulated, roots
from tests.machine.conftest import ARCHITECTURE

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 600
# Where the tests of a package are installed from is Debian's mirror, as for the tree itself.
ITS_TESTS = """set -e
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
exec autopkgtest --setup-commands 'apt-get update' "$2" "$3" -- chroot "$1"
"""
# apt's, when it asks the questions of a package before it is unpacked
NOT_OURS = "^/var/cache/debconf/tmp.ci/?$"


def judged(*command: str | Path) -> str:
    """What a judge says, who has to be content."""
    done = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


@pytest.fixture
def tree(package: Path, tmp_path: Path) -> Path:
    """Debian 13 with what the package depends on, and with Debian's sources."""
    made = tmp_path / "tree"
    made.mkdir()
    subprocess.run(["tar", "-C", made, "-xf", roots.archive(package, ARCHITECTURE)], check=True)
    shutil.copy("/etc/resolv.conf", made / "etc/resolv.conf")
    return made


def test_its_own_tests_pass_where_it_is_installed(package: Path, tree: Path) -> None:
    emulated.refuse_services(tree)
    source = package.parent / "deb" / f"{package.name.rsplit('_', 1)[0]}.dsc"
    private = ("unshare", "-m", "--propagation", "private", "sh", "-c", ITS_TESTS, "sh")
    said = judged(*private, tree, package, source)
    assert "answer               PASS" in said


def test_purging_leaves_the_tree_as_it_was(package: Path, tree: Path) -> None:
    place = ("--existing-chroot", tree, "--distribution", roots.SUITE, "--keep-sources-list")
    said = judged("piuparts", *place, "--no-eatmydata", "--ignore-regex", NOT_OURS, package)
    assert "PASS: Installation and purging test." in said
