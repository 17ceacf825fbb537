"""A download with as many attempts as it takes, and the waits between them."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import msgspec

from edged.clock import SystemClock
from edged.models.download import SYNC_BYTES, Download, Terms
from edged.models.fetching import GAIN_BYTES, FetchError, retry_in
from edged.models.hub import Hub, Limits
from edged.models.progress import Fetched, FetchFailed
from edged.models.quiethours import quiet_hours
from edged.settings import DownloadConfig

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from edged.clock import Clock
    from edged.models.progress import Event
    from edged.models.store import Store
    from edged.models.variants import Variant

MIB = 1 << 20
STEP_S = 60.0  # the longest sleep in quiet hours: the clock on the wall may be set meanwhile
_BAD = frozenset({"bad_hash", "bad_file"})


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What a fetch needs of the world outside.

    Attributes:
        store: Where files go.
        config: Endpoint, mirrors, rate, quiet hours, eviction.
        token: For gated repositories, see `edged.password.read_token`.
        limits: How long a server is followed.
        clock: Both clocks.
        minute: Minutes since midnight, local time.
        sleep: Seconds to wait.
        jitter: 0 to 1 by chance.
        most_failures: In a row, until it is given up; None: never for what may pass.
        ca_file: Certificates to trust; None: the system's.
        sync_bytes: See `edged.models.download`.
    """

    store: Store
    config: DownloadConfig = DownloadConfig()
    token: str | None = None
    limits: Limits = Limits()
    clock: Clock = SystemClock()
    minute: Callable[[], int] | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    most_failures: int | None = None
    ca_file: str | None = None
    sync_bytes: int = SYNC_BYTES

    def terms(self, keep: Collection[str]) -> Terms:
        """What the owner allows, with the files that must stay."""
        rate = self.config.rate_mib_s
        return Terms(
            rate=rate * MIB if rate else None,
            quiet=quiet_hours(self.config.quiet_hours),
            evict=self.config.evict,
            keep=frozenset(keep),
            sync_bytes=self.sync_bytes,
        )

    def hub(self) -> Hub:
        """A client for the endpoint, its mirrors and plain addresses."""
        return Hub(
            self.config,
            token=self.token,
            limits=self.limits,
            clock=self.clock,
            ca_file=self.ca_file,
        )

    def local_minute(self) -> int:
        """Minutes since midnight by the clock on the wall."""
        if self.minute is not None:
            return self.minute()
        now = time.localtime(self.clock.wall())
        return now.tm_hour * 60 + now.tm_min


async def fetch(
    world: World, variant: Variant, keep: Collection[str], tell: Callable[[Event], None]
) -> Fetched | FetchFailed:
    """Have a file, however many attempts it takes.

    Args:
        world: See there.
        variant: With a repo or an address.
        keep: Names of files that are not evicted for it.
        tell: Gets every event, the one that is returned last.

    Returns:
        `Fetched`, or the failure with which it was given up.
    """
    ended = await _Attempts(world, variant, keep, tell).run()
    tell(ended)
    return ended


class _Attempts:
    """Counts failures and waits."""

    def __init__(
        self,
        world: World,
        variant: Variant,
        keep: Collection[str],
        tell: Callable[[Event], None],
    ) -> None:
        self._world = world
        self._variant = variant
        self._keep = keep
        self._tell = tell
        self._failures = 0
        self._bad = 0

    async def run(self) -> Fetched | FetchFailed:
        try:
            async with self._world.hub() as hub:
                return await self._with(hub)
        except FetchError as error:
            return self._failed(error, None)
        except Exception as error:  # noqa: BLE001 - a mistake of ours costs this download only
            return self._failed(FetchError("internal", f"{type(error).__name__}: {error}"), None)

    async def _with(self, hub: Hub) -> Fetched | FetchFailed:
        world = self._world
        download = Download(
            world.store,
            hub,
            self._variant,
            terms=world.terms(self._keep),
            tell=self._tell,
            clock=world.clock,
            minute=world.local_minute,
        )
        while True:
            await self._quiet(download)
            before = download.gained
            try:
                return await download.attempt()
            except FetchError as error:
                wait = self._wait(error, download.gained - before)
                if error.code == "quiet":
                    continue
                failed = self._failed(error, wait)
                if wait is None:
                    return failed
                self._tell(failed)
            self._tell(download.track.state("waiting", world.clock.monotonic()))
            await world.sleep(wait)

    async def _quiet(self, download: Download) -> None:
        told = False
        while left := download.quiet_s():
            if not told:
                now = self._world.clock.monotonic()
                self._tell(download.track.state("waiting", now))
                told = True
            await self._world.sleep(min(left, STEP_S))

    def _wait(self, error: FetchError, gained: int) -> float | None:
        if error.code in _BAD:
            self._bad += 1
            failures = self._bad
        else:
            self._failures = 1 if gained >= GAIN_BYTES else self._failures + 1
            failures = self._failures
        world = self._world
        jitter = world.jitter()
        return retry_in(error.code, failures, error.retry_after, jitter, world.most_failures)

    def _failed(self, error: FetchError, wait: float | None) -> FetchFailed:
        return FetchFailed(
            variant=self._variant.id,
            code=error.code,
            reason=error.reason,
            retry_in=None if wait is None else round(wait, 1),
        )
