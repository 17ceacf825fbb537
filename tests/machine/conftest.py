"""A whole Debian 13, booted by systemd-nspawn with the package's repository in it.

These tests run by `make test-machine`: they need root, a mirror of Debian and the built package.
"""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.machine import repository, roots
from tests.machine.box import Box
from tests.optin import only_with

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
# A tool and the package that has it.
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "apt-ftparchive": "apt-utils",
    "nsenter": "util-linux",
    "gpg": "gnupg",
    "autopkgtest": "autopkgtest",
    "piuparts": "piuparts",
    # for the package of the Pi
    "arch-test": "arch-test",
    "qemu-aarch64-static": "qemu-user-static",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--machine", action="store_true", help="boot a Debian and test in it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in only_with("--machine", config, items, Path(__file__), why="boots a machine"):
        item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session")
def package() -> Path:
    """The package of this architecture, built by `make deb`."""
    built = sorted((ROOT / "build").glob(f"edged_*_{ARCHITECTURE}.deb"))
    assert built, "there is no package: make deb"
    return built[-1]


@pytest.fixture(scope="session")
def base(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of Debian 13 with what the package depends on, and its repository; never written."""
    assert os.geteuid() == 0, "only root boots a container"
    missing = sorted({TOOLS[tool] for tool in TOOLS if shutil.which(tool) is None})
    assert not missing, f"apt-get install {' '.join(missing)}"
    tree = tmp_path_factory.mktemp("base")
    roots.unpack(roots.archive(package, ARCHITECTURE), tree)
    repository.make(tree, package)
    return tree


@pytest.fixture(scope="module")
def bare(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A booted machine without the package; one for each file of tests."""
    with Box(base, tmp_path_factory.mktemp("box")) as box:
        yield box


@pytest.fixture(scope="module")
def box(bare: Box) -> Box:
    """The same with the package installed from the repository."""
    bare.apt("install", "edged")
    return bare
