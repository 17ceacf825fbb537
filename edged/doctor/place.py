"""Which board is judged: this machine, or one whose files were copied into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from edged.models.inventory import OWN_FILES

if TYPE_CHECKING:
    from edged.settings import Config

STATE = "/var/lib/edged"  # of a recorded board, as the unit has it


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look.

    Attributes:
        root: Of the file system.
        live: It is this machine.
        config: With paths that hold here.
        state: The daemon's state directory.
        notes: What of the configuration is written as older versions had it.
    """

    root: Path
    live: bool
    config: Config
    state: Path
    notes: tuple[str, ...] = ()


def recorded_place(root: Path, config: Config, notes: tuple[str, ...] = ()) -> Place:
    """A recorded board; nothing of this machine counts.

    Args:
        root: The folder.
        config: Of that board; its paths are taken to be under the folder.
        notes: As in `Place`.
    """
    model = config.model
    model = replace(
        model,
        path=None if model.path is None else under(root, model.path),
        directory=None if model.directory is None else under(root, model.directory),
        catalogue_dir=under(root, model.catalogue_dir or str(OWN_FILES)),
    )
    state = Path(under(root, config.serving.state_dir or STATE))
    renewed = replace(config, model=model)
    return Place(root=root, live=False, config=renewed, state=state, notes=notes)


def under(root: Path, path: str) -> str:
    """An absolute path of a recorded board, as it is here."""
    return str(root / path.lstrip("/"))
