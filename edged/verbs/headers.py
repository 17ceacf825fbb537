"""Headers of files that are not here, for whoever explains a choice on the command line."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from edged.models.attempts import World
from edged.models.scout import Scout
from edged.models.store import Store
from edged.models.unread import unread
from edged.password import read_token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edged.models.survey import Survey
    from edged.models.variants import Variant
    from edged.settings import Config


def scout_of(config: Config, folder: Path, state_dir: Path) -> Scout:
    """What reads headers by the owner's rules, and knows those of before.

    Args:
        config: For the hub, its token and the quiet hours.
        folder: The models directory.
        state_dir: The daemon's.

    Raises:
        StorageError: The token cannot be read.
    """
    download = config.model.download
    token = read_token(download.token_file) if download.enabled else None
    return Scout(World(store=Store(folder), config=download, token=token), state_dir)


def with_headers(scout: Scout, choose: Callable[[], Survey]) -> Survey:
    """Chooses, reads headers that might change that, and chooses again, as long as there are any.

    Args:
        scout: Asks no source again soon, so this comes to an end.
        choose: By all that is known then.
    """
    if scout.hindrance is not None:
        _say(f"no headers are read: {scout.hindrance}")
    while True:
        found = choose()
        due = scout.due(unread(found.choice, found.seen))
        if not due:
            return found
        asyncio.run(_read(scout, due))


async def _read(scout: Scout, due: Sequence[Variant]) -> None:
    async for said in scout.read(due):
        _say(said)


def _say(line: str) -> None:
    print(f"edged: {line}", file=sys.stderr)
