from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edged.config import Config, ModelConfig, ServingConfig
from edged.places import models_directory

if TYPE_CHECKING:
    import pytest


def test_what_is_configured_wins() -> None:
    own = Config(model=ModelConfig(directory="/m"), serving=ServingConfig(state_dir="/s"))
    assert models_directory(own, {"STATE_DIRECTORY": "/t"}) == Path("/m")
    state = Config(serving=ServingConfig(state_dir="/s"))
    assert models_directory(state, {"STATE_DIRECTORY": "/t"}) == Path("/s/models")
    assert models_directory(Config(), {"STATE_DIRECTORY": "/t"}) == Path("/t/models")


def test_whoever_may_write_to_the_services_folder_means_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models_directory(Config(), {}, tmp_path) == tmp_path / "models"
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    at_home = Path("/home/me/.local/state/edged/models")
    assert models_directory(Config(), None, tmp_path / "none") == at_home
