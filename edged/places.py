"""Where the model files of this machine lie, for the daemon and for whoever types a verb."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.settings import Config

SERVICE_STATE = Path("/var/lib/edged")  # StateDirectory=edged of the unit
MODELS = "models"


def models_directory(
    config: Config,
    environment: Mapping[str, str] | None = None,
    service: Path = SERVICE_STATE,
) -> Path:
    """The models directory; it need not be there.

    Args:
        config: `model.directory` wins.
        environment: STATE_DIRECTORY is set by systemd for the daemon; None: this process's.
        service: Where the service keeps its state: `sudo edged pull` is meant for it.
    """
    if config.model.directory is not None:
        return Path(config.model.directory)
    given = os.environ if environment is None else environment
    state = config.serving.state_dir or given.get("STATE_DIRECTORY")
    if state is not None:
        return Path(state) / MODELS
    if os.access(service, os.R_OK | os.W_OK | os.X_OK):
        return service / MODELS
    return Path("~/.local/state/edged").expanduser() / MODELS
