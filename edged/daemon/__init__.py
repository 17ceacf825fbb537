"""The daemon: where the rooms meet."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from edged.clock import SystemClock
from edged.daemon.core import Daemon
from edged.daemon.reload import outdated
from edged.errors import StorageError
from edged.password import read_password
from edged.telemetry.journal import Journal
from edged.telemetry.notify import Notifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.config import Loaded


def run(loaded: Loaded, reread: Callable[[], Loaded], sysfs_root: Path = Path("/")) -> int:
    """Runs the daemon until a signal.

    Args:
        loaded: The checked configuration.
        reread: Reads it again when SIGHUP asks for it; raises EdgedError.
        sysfs_root: The root of the sensors' files, to play another board's heat to it.

    Returns:
        The exit code.

    Raises:
        StorageError: The state directory cannot be made or the password cannot be read.
    """
    clock = SystemClock()
    config = loaded.config
    journal = Journal.setup(config.telemetry.log_level, clock=clock)
    outdated(journal, loaded)
    daemon = Daemon(
        config,
        state_dir=state_dir(config.serving.state_dir),
        cache_dir=_cache_dir(config.engine.cache_dir),
        password=read_password(config.mqtt.password_file),
        clock=clock,
        journal=journal,
        notifier=Notifier(clock),
        sysfs_root=sysfs_root,
        reread=reread,
    )
    return asyncio.run(daemon.run())


def state_dir(configured: Path | str | None) -> Path:
    """Where the daemon keeps what must survive; it is made if it is not there.

    Raises:
        StorageError: It cannot be made.
    """
    path = Path(configured or os.environ.get("STATE_DIRECTORY") or _home_state())
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise StorageError(message) from error
    return path


def _home_state() -> str:
    return str(Path("~/.local/state/edged").expanduser())


def _cache_dir(configured: str | None) -> Path:
    # Not made here: without it edged only reads again what it could have kept.
    home = str(Path("~/.cache/edged").expanduser())
    return Path(configured or os.environ.get("CACHE_DIRECTORY") or home)
