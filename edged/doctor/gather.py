"""Reads everything that the checks judge, of this machine or of a recorded one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edged.doctor import speeds
from edged.doctor.connection import connect
from edged.doctor.disk import read_speed
from edged.doctor.engines import backend_of_engines, held_by_engines
from edged.doctor.facts import Configured, Facts, Files, Skipped
from edged.doctor.kernel import kernel, synchronised
from edged.doctor.service import unit
from edged.errors import ModelError
from edged.models.device import Roots, probe, recorded
from edged.models.inventory import owners_catalogue
from edged.models.known import load_figures
from edged.models.local import check_file
from edged.models.store import Store
from edged.models.survey import cache_of, models_directory, need_with, survey
from edged.thermal.senses import look

if TYPE_CHECKING:
    from edged.clock import Clock
    from edged.doctor.facts import Broker
    from edged.doctor.place import Place
    from edged.models.facts import DeviceFacts
    from edged.models.fit import Budget
    from edged.models.survey import Survey

RECORDED = Skipped("this board was recorded")


def gather(place: Place, clock: Clock) -> Facts:
    """Look at everything once.

    Args:
        place: Which board.
        clock: To time the disk.

    Raises:
        ConfigError: A catalogue has mistakes.
        StorageError: A catalogue cannot be read.
    """
    config, live = place.config, place.live
    folder = models_directory(config, place.state)
    device = probe(Roots(models=folder) if live else recorded(place.root))
    build = speeds.engine(place)
    found = _survey(place, device, build, folder)
    serving = speeds.served(place, found)
    heard: tuple[Broker | Skipped, dict[str, object]] = connect(config) if live else (RECORDED, {})
    return Facts(
        device=device,
        backend=backend_of_engines() if live else None,
        senses=look(place.root),
        kernel=kernel(place.root),
        choice=found.choice,
        load_timeout_s=config.engine.load_timeout_s,
        configured=_configured(place, device, found.choice.budget),
        files=_files(place, folder, found),
        speed=read_speed(serving.path, clock) if live else RECORDED,
        rates=speeds.rates(place, found, serving, build, heard[1]),
        broker=heard[0],
        synchronised=synchronised(place.root),
        unit=unit() if live else RECORDED,
        notes=place.notes,
    )


def _survey(place: Place, device: DeviceFacts, build: str, folder: Path) -> Survey:
    catalogue = owners_catalogue(place.config.model)
    figures = load_figures(place.state, device.fingerprint(build))
    held = held_by_engines() if place.live else 0
    return survey(place.config, device, catalogue, folder, figures, held=held)


def _configured(place: Place, device: DeviceFacts, budget: Budget) -> Configured | None:
    """The file that the owner named; of a recorded board only if it was copied."""
    config = place.config
    path = None if config.model.path is None else Path(config.model.path)
    if path is None or not (place.live or path.exists()):
        return None
    try:
        header = check_file(path)
    except ModelError as error:
        return Configured(path.name, None, str(error))
    cache = cache_of(config, header, device, budget)
    need = need_with(config, header, device, cache.kind)
    return Configured(path.name, need, cache=cache.why)


def _files(place: Place, folder: Path, found: Survey) -> Files:
    store = Store(folder)
    return Files(
        directory=str(folder),
        stored=store.files(),
        partials=store.partials(),
        bad=store.quarantined(),
        broken=found.inventory.broken,
        denied=place.state.is_dir() and not os.access(place.state, os.R_OK | os.X_OK),
    )
