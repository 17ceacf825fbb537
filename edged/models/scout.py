"""Reads headers of files on hubs, a few at a time and no source more often than it bears."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, NamedTuple

from edged.errors import ModelError, StorageError
from edged.models.bandwidth import TokenBucket
from edged.models.fetching import FetchError, retry_in
from edged.models.headershelf import Shelf, origin
from edged.models.quiethours import quiet_hours
from edged.models.remote import remote_header

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from pathlib import Path

    from edged.models.attempts import World
    from edged.models.gguf import Header
    from edged.models.hub import Hub
    from edged.models.variants import Catalogue, Variant

FEW = 3  # headers at a time; one with a vocabulary of 150,000 tokens takes 8 MiB
ONE_S = 60.0  # seconds for one, besides those that a capped rate costs: 8 MiB over 1 Mbit/s


class Tried(NamedTuple):
    """What became of a source.

    Attributes:
        failures: In a row.
        again_at: Monotonic seconds before which it is not asked again.
    """

    failures: int
    again_at: float


class Scout:
    """Knows the headers that were read, and reads those that are worth it.

    Args:
        world: The hub and the owner's rules; see `edged.models.attempts`.
        state_dir: The daemon's.
    """

    def __init__(self, world: World, state_dir: Path) -> None:
        self._world = world
        self._shelf = Shelf(state_dir)
        self._tried: dict[str, Tried] = {}

    def known(self, catalogue: Catalogue) -> dict[str, Header]:
        """Headers that were read before, by the variants' ids."""
        return self._shelf.of(catalogue)

    @property
    def hindrance(self) -> str | None:
        """Why nothing may be asked for now, if so."""
        config = self._world.config
        if not config.enabled:
            return "model.download.enabled is false"
        quiet = quiet_hours(config.quiet_hours)
        if quiet is not None and quiet.wait(self._world.local_minute()):
            return f"nothing is downloaded in the quiet hours, {config.quiet_hours}"
        return None

    def due(self, wanted: Iterable[Variant]) -> tuple[Variant, ...]:
        """The few of these that may be asked for now."""
        if self.hindrance is not None:
            return ()
        now = self._world.clock.monotonic()
        return tuple(each for each in wanted if self._last(each).again_at <= now)[:FEW]

    async def read(self, variants: Iterable[Variant]) -> AsyncIterator[str]:
        """Reads their headers, at the rate that downloads may have, until quiet hours begin.

        Args:
            variants: As `due` gives them.

        Yields:
            A sentence about each.
        """
        bucket = TokenBucket(self._world.terms(()).rate, self._world.clock.monotonic())
        # In a thread, because certificates are loaded from the disk for it.
        async with await asyncio.to_thread(self._world.hub) as hub:
            for variant in variants:
                said = self.hindrance or await self._one(hub, variant, bucket)
                yield f"{variant.id}: {said}"

    async def _one(self, hub: Hub, variant: Variant, bucket: TokenBucket) -> str:
        try:
            async with asyncio.timeout(ONE_S) as limit:
                found = await remote_header(hub, variant, self._pace(bucket, limit))
            await asyncio.to_thread(self._shelf.keep, variant, found.header)
        except TimeoutError:
            error = FetchError("slow", f"its header did not come within {ONE_S:.0f} s")
            return self._failed(variant, error)
        except FetchError as error:
            return self._failed(variant, error)
        except (ModelError, StorageError) as error:  # neither mends itself while we run
            return self._settled(variant, str(error))
        return self._settled(variant, f"its header is known, by {found.read} bytes of it")

    def _pace(
        self, bucket: TokenBucket, limit: asyncio.Timeout
    ) -> Callable[[int], Awaitable[None]]:
        """What waits after so many bytes came; the server has as much time as without."""

        async def pace(size: int) -> None:
            wait = bucket.take(size, self._world.clock.monotonic())
            ends = limit.when()
            if wait and ends is not None:
                limit.reschedule(ends + wait)
                await self._world.sleep(wait)

        return pace

    def _failed(self, variant: Variant, error: FetchError) -> str:
        failures = self._last(variant).failures + 1
        wait = retry_in(error.code, failures, error.retry_after, self._world.jitter())
        if wait is None:
            return self._settled(variant, error.reason)
        now = self._world.clock.monotonic()
        self._tried[origin(variant)] = Tried(failures, now + wait)
        return f"{error.reason}; again in {wait:.0f} s"

    def _settled(self, variant: Variant, said: str) -> str:
        self._tried[origin(variant)] = Tried(0, math.inf)
        return said

    def _last(self, variant: Variant) -> Tried:
        return self._tried.get(origin(variant), Tried(0, -math.inf))
