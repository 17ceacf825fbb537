"""A house with the real Home Assistant and the real Node-RED in it.

These tests run by `make test-home`: they need root, mirrors of Debian and PyPI, and npm.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.home import trees
from tests.home.hass import HomeAssistant
from tests.optin import only_with
from tests.rig.broker import Broker
from tests.rig.daemon import POCKET
from tests.test_selection_live import chooses

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = ("mmdebstrap", "unshare", "mosquitto")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--home", action="store_true", help="run real programs of a house against it")
    parser.addoption("--house-tree", type=Path, help="a tree with another Home Assistant in it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in only_with("--home", config, items, Path(__file__), why="runs other programs"):
        item.add_marker(pytest.mark.timeout(1800))  # the first builds the trees


@pytest.fixture(scope="session")
def house_tree(request: pytest.FixtureRequest) -> Path:
    """A tree with Home Assistant in it."""
    assert os.geteuid() == 0, "only root changes into another tree"
    given: Path | None = request.config.getoption("--house-tree")
    if given is not None:
        return given
    missing = trees.missing(TOOLS)
    assert not missing, f"apt-get install mmdebstrap util-linux mosquitto ({missing})"
    return trees.home_assistant()


@pytest.fixture(scope="session")
def node_red() -> Path:
    """A folder with Node-RED in it."""
    missing = trees.missing(("node", "npm", "mosquitto"))
    assert not missing, f"install Node.js 20 or newer, npm and mosquitto ({missing})"
    return trees.node_red()


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """The house's, one for each file of tests."""
    with Broker() as broker:
        yield broker


@pytest.fixture(scope="module")
def house(house_tree: Path, broker: Broker) -> Iterator[HomeAssistant]:
    """Home Assistant at this broker."""
    with HomeAssistant(house_tree, broker.port) as house:
        yield house


@pytest.fixture
def choosing(tmp_path: Path) -> dict[str, Any]:
    """The configuration of an edged that chooses among two small models."""
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(POCKET, models / "mine.gguf")
    return chooses(models)
