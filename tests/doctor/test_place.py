from __future__ import annotations

from pathlib import Path

from edged.config import Config
from edged.doctor.place import recorded_place
from edged.settings import ModelConfig, ServingConfig


def test_paths_of_a_recorded_board_lie_under_its_folder() -> None:
    config = Config(
        model=ModelConfig(path="/srv/a.gguf", directory="/srv/models"),
        serving=ServingConfig(state_dir="/srv/state"),
    )
    place = recorded_place(Path("/tree"), config)
    model = place.config.model
    assert (model.path, model.directory) == ("/tree/srv/a.gguf", "/tree/srv/models")
    assert model.catalogue_dir == "/tree/etc/edged/catalog.d"
    assert place.state == Path("/tree/srv/state")
    assert not place.live


def test_without_a_configuration_they_are_those_of_the_unit() -> None:
    place = recorded_place(Path("/tree"), Config())
    assert place.config.model.path is None
    assert place.config.model.directory is None
    assert place.state == Path("/tree/var/lib/edged")
