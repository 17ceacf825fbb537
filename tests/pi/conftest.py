"""A Raspberry Pi that is emulated as a whole: processor, memory, kernel, systemd, our package.

These tests run by `make test-pi`: they need root, a mirror of Debian and the package for arm64.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.optin import only_with
from tests.pi import board, disk
from tests.pi.guest import Guest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 900  # the first one also makes the disk, of a Debian that may have to be fetched
# A tool and the package that has it.
TOOLS = {
    board.EMULATOR: "qemu-system-arm",
    "fdtput": "device-tree-compiler",
    "mmdebstrap": "mmdebstrap",
    "arch-test": "arch-test",  # mmdebstrap's, for another architecture
    "mkfs.ext4": "e2fsprogs",
    "apt-ftparchive": "apt-utils",
    "modprobe": "kmod",
    "cpio": "cpio",
    "gpg": "gnupg",
    "qemu-aarch64-static": "qemu-user-static",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pi", action="store_true", help="emulate a Raspberry Pi and test in it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in only_with("--pi", config, items, Path(__file__), why="emulates a board"):
        item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with the package on it, which each board boots anew."""
    assert os.geteuid() == 0, "only root makes a Debian"
    missing = sorted({TOOLS[tool] for tool in TOOLS if shutil.which(tool) is None})
    assert not missing, f"apt-get install {' '.join(missing)}"
    built = sorted((ROOT / "build").glob("edged_*_arm64.deb"))
    assert built, "there is no package: make deb"
    return disk.make(built[-1], tmp_path_factory.mktemp("card"))


@pytest.fixture(scope="package")
def pi_5(card: Path) -> Iterator[Guest]:
    """A Raspberry Pi 5 that has booted from it."""
    with Guest(board.PI_5, card) as guest:
        yield guest


@pytest.fixture(scope="module")
def pi_4(card: Path) -> Iterator[Guest]:
    """A Raspberry Pi 4, whose processor has no dot products."""
    with Guest(board.PI_4, card) as guest:
        yield guest
