"""What tests of downloads share: a small sound model, a hub that has it, a world to fetch in."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

from edged.models.attempts import World, fetch
from edged.models.hub import Limits
from edged.models.store import Store
from edged.models.variants import Variant
from edged.settings import DownloadConfig
from tests.models.rawgguf import build
from tests.rig.hub import Hub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.models.progress import Event, Fetched, FetchFailed

FILE = "tiny-Q4_K.gguf"
# a sound header and 3 MiB behind it: llama.cpp and edged ignore bytes after the last tensor
MODEL = build(data=480) + bytes(range(256)) * 12_288
SHA256 = hashlib.sha256(MODEL).hexdigest()
VARIANT = Variant(id="tiny-Q4_K", family="tiny", file=FILE, repo="owner/name")
QUICK = Limits(connect_s=2, silence_s=1, answer_s=2, window_s=0.5, least_rate=1000)


@contextlib.contextmanager
def hub() -> Iterator[Hub]:
    with Hub().running() as rig:
        rig.files[FILE] = MODEL
        yield rig


class Sleeps:
    """Waits no time, and remembers how long it would have been."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        await asyncio.sleep(0)


def world(rig: Hub, directory: Path, **more: Any) -> World:
    """A world where nothing waits and failures end after two."""
    settings = {
        "endpoint": rig.endpoint,
        **{key: more.pop(key) for key in list(more) if key in DownloadConfig.__struct_fields__},
    }
    defaults: dict[str, Any] = {
        "sleep": Sleeps(),
        "jitter": lambda: 0.5,
        "limits": QUICK,
        "most_failures": 2,
        "sync_bytes": 1 << 20,
    }
    return World(store=Store(directory), config=DownloadConfig(**settings), **{**defaults, **more})


def run(
    world: World, variant: Variant = VARIANT, keep: tuple[str, ...] = ()
) -> tuple[Fetched | FetchFailed, list[Event]]:
    """Fetch, and all that was told."""
    events: list[Event] = []
    return asyncio.run(fetch(world, variant, keep, events.append)), events


def names(directory: Path) -> set[str]:
    """What is in the store, below it too."""
    found = directory.rglob("*")
    return {str(path.relative_to(directory)) for path in found if path.is_file()}
