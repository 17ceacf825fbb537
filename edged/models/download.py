"""One attempt to have one file: go on where the last one ended, verify, put it into its place."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from edged.errors import StorageError
from edged.models import fetching, room
from edged.models.answers import RangeError
from edged.models.arrival import Arrival
from edged.models.bandwidth import TokenBucket
from edged.models.fetching import FetchError, fail
from edged.models.progress import Evicted, Fetched, Pinned, Track
from edged.models.records import PartRecord, safe_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.clock import Clock
    from edged.models.address import Source
    from edged.models.fetching import Expected, Facts
    from edged.models.hub import Answer, Hub
    from edged.models.progress import Event
    from edged.models.quiethours import QuietHours
    from edged.models.records import Record
    from edged.models.store import Store
    from edged.models.variants import Variant
    from edged.partfile import PartFile

# A power cut costs at most so many bytes; so often are the free space looked at and the record
# written, which on a card is a second's work.
SYNC_BYTES = 64 << 20
WRITE_BYTES = 1 << 20  # bytes that are written at once


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner allows.

    Attributes:
        rate: Bytes per second; None is no cap.
        quiet: Hours without downloads.
        evict: Files that edged fetched may go.
        keep: Names of those that may not: in use, or chosen.
        sync_bytes: See `SYNC_BYTES`.
    """

    rate: float | None = None
    quiet: QuietHours | None = None
    evict: bool = False
    keep: frozenset[str] = frozenset()
    sync_bytes: int = SYNC_BYTES


class Download:
    """A file on its way.

    Args:
        store: Where it goes.
        hub: Where it comes from; an open one.
        variant: Which.
        terms: What the owner allows.
        tell: Gets Progress, Pinned and Evicted.
        clock: To measure with and to stamp records.
        minute: Minutes since midnight by the clock on the wall.

    Raises:
        FetchError: Its name is none that a file may have here.

    Attributes:
        gained: Bytes that came from the network.
        track: Of the progress.
    """

    def __init__(  # noqa: PLR0913 - each is a part of the world outside
        self,
        store: Store,
        hub: Hub,
        variant: Variant,
        *,
        terms: Terms,
        tell: Callable[[Event], None],
        clock: Clock,
        minute: Callable[[], int],
    ) -> None:
        name = safe_name(variant.file)
        if name is None:
            fail("no_source", f"{variant.file[:100]!a} is no name of a model file")
        self.gained = 0
        self.track = Track(variant.id)
        self._file = name
        self._store = store
        self._hub = hub
        self._variant = variant
        self._terms = terms
        self._tell = tell
        self._clock = clock
        self._minute = minute
        self._arrival = Arrival(store, variant, name, clock)
        self._bucket = TokenBucket(terms.rate, clock.monotonic())

    def quiet_s(self) -> float:
        """Seconds until downloads are allowed again; 0: now."""
        quiet = self._terms.quiet
        return 0.0 if quiet is None else 60.0 * quiet.wait(self._minute())

    async def attempt(self) -> Fetched:
        """Have the file, whatever of it is here already.

        Raises:
            FetchError: It could not be had; a part that is good stays for the next attempt.
        """
        try:
            self._store.prepare()
            present = await self._present()
            if present is not None:
                return present
            with contextlib.closing(self._store.part(self._file)) as part:
                try:
                    return await self._whole(part)
                except FetchError:
                    self._leave_nothing_empty(part)
                    raise
        except StorageError as error:
            raise FetchError(fetching.disk_code(error.errno), str(error)) from error

    async def _present(self) -> Fetched | None:
        """The file, if it is here and good; a bad one is put aside."""
        stored = self._store.stored(self._file)
        if stored is None:
            return None
        record = stored.record
        if record is None or stored.changed:
            self._say_verifying()
            record = await self._arrival.adopt(stored)
        if record is None or self._arrival.wanted not in {None, record.sha256}:
            return None  # a bad one, or the catalogue has another by now, which will replace it
        if stored.record is None and self._variant.sha256 is None:
            self._tell(Pinned(variant=self._variant.id, sha256=record.sha256, source=None))
        return self._fetched(record, resumed=record.bytes)

    def _leave_nothing_empty(self, part: PartFile) -> None:
        with contextlib.suppress(StorageError):
            if part.size == 0:
                part.remove()
                self._store.drop_part_record(self._file)

    async def _whole(self, part: PartFile) -> Fetched:
        record = self._store.part_record(self._file)
        have = fetching.resume_from(record, part.size, self._store.boot)
        part.cut(have)
        if record is None or have < record.bytes:
            record = await self._fill(part, record)
        return await self._finish(part, record, have)

    async def _fill(self, part: PartFile, record: PartRecord | None) -> PartRecord:
        """All that is missing, from the first source that has it."""
        fault: FetchError | None = None
        for source in self._hub.sources(self._variant):
            try:
                return await self._from(source, part, record)
            except FetchError as error:
                fault = fault or error
                if not fetching.other_source_may_help(error.code):
                    break
        assert fault is not None  # noqa: S101 - there is a source, or `sources` had raised
        raise fault

    async def _from(self, source: Source, part: PartFile, record: PartRecord | None) -> PartRecord:
        start = part.size if record is not None else 0
        if start and record is not None:
            with contextlib.suppress(RangeError):
                async with self._hub.open(source, start) as answer:
                    if fetching.continues(record, answer.facts):
                        return await self._receive(source, part, answer)
        # what is here is the beginning of another file
        part.cut(0)
        async with self._hub.open(source) as answer:
            return await self._receive(source, part, answer)

    async def _receive(self, source: Source, part: PartFile, answer: Answer) -> PartRecord:
        expected = fetching.expect(self._variant, self._arrival.pinned, answer.facts)
        if answer.start < part.size:  # the server does not know ranges
            part.cut(answer.start)
        self._make_room(expected.bytes - part.size)
        record = self._begin(source, expected, answer.facts, part.size)
        self._tell(self.track.begin(part.size, expected.bytes, self._clock.monotonic()))
        writer = _Writer(part)
        try:
            async for chunk in answer.chunks():
                writer.add(chunk)
                self.gained += len(chunk)
                if part.size - record.synced >= self._terms.sync_bytes:
                    record = self._sync(part, record)
                self._report(part.size + writer.waiting)
                await self._pause(len(chunk))
        except BaseException:
            # a full disk must not hide that we were cancelled
            with contextlib.suppress(StorageError, FetchError):
                writer.flush()
                self._sync(part, record)
            raise
        writer.flush()
        return self._sync(part, record)

    def _begin(self, source: Source, expected: Expected, facts: Facts, size: int) -> PartRecord:
        record = PartRecord(
            variant=self._variant.id,
            bytes=expected.bytes,
            synced=min(size, self._synced()),
            boot=self._store.boot,
            sha256=expected.sha256,
            sha256_from=expected.source,
            etag=facts.etag,
            commit=facts.commit,
            url=source.plain,
        )
        self._store.write_part_record(self._file, record)
        return record

    def _synced(self) -> int:
        known = self._store.part_record(self._file)
        return known.synced if known is not None else 0

    def _sync(self, part: PartFile, record: PartRecord) -> PartRecord:
        record = msgspec.structs.replace(record, synced=part.sync())
        free, disk = self._store.space()
        if fetching.lacking(free, 0, fetching.reserve(disk) // 2):
            # somebody else needs the disk; what is here waits until there is room again
            fail("no_space", f"others have filled the disk of {self._store.directory}")
        self._store.write_part_record(self._file, record)
        return record

    def _make_room(self, needed: int) -> None:
        """Find out before the first byte whether the last one will fit."""
        free, disk = self._store.space()
        kept = fetching.reserve(disk)
        lacking = fetching.lacking(free, needed, kept)
        if lacking and self._terms.evict:
            lacking = self._evict(lacking, needed, kept)
        if lacking:
            fail(
                "no_space",
                f"{self._variant.file} takes {needed} bytes more and {kept} stay free, but"
                f" {self._store.directory} has {free}: {lacking} bytes are lacking",
            )

    def _evict(self, lacking: int, needed: int, kept: int) -> int:
        keep = self._terms.keep | {self._file}
        files = {one.file: one for one in self._store.files() if not one.changed}
        candidates = (
            room.Candidate(file, one.bytes, one.record.wall)
            for file, one in files.items()
            if one.record is not None and one.record.fetched
        )
        for file in room.evictions(candidates, lacking, keep):
            self._store.evict(file)
            self._tell(Evicted(file=file, bytes=files[file].bytes))
        return fetching.lacking(self._store.space()[0], needed, kept)

    def _report(self, done: int) -> None:
        progress = self.track.on(done, self._clock.monotonic())
        if progress is not None:
            self._tell(progress)

    async def _pause(self, size: int) -> None:
        wait = self._bucket.take(size, self._clock.monotonic())
        if wait:
            await asyncio.sleep(wait)
        quiet = self.quiet_s()
        if quiet:
            raise FetchError("quiet", "the quiet hours have begun", quiet)  # noqa: EM101

    async def _finish(self, part: PartFile, record: PartRecord, resumed: int) -> Fetched:
        self._say_verifying()
        first = self._arrival.pinned is None and self._variant.sha256 is None
        whole = await self._arrival.publish(part, record)
        if first:
            self._tell(
                Pinned(variant=self._variant.id, sha256=whole.sha256, source=record.sha256_from)
            )
        return self._fetched(whole, resumed)

    def _say_verifying(self) -> None:
        self._tell(self.track.state("verifying", self._clock.monotonic()))

    def _fetched(self, record: Record, resumed: int) -> Fetched:
        return Fetched(
            variant=self._variant.id,
            path=str(self._store.path(self._file)),
            sha256=record.sha256,
            bytes=record.bytes,
            resumed=resumed,
        )


class _Writer:
    """Gathers small pieces: a card writes one large one faster than many small ones."""

    def __init__(self, part: PartFile) -> None:
        self._part = part
        self._buffer = bytearray()

    @property
    def waiting(self) -> int:
        return len(self._buffer)

    def add(self, chunk: bytes) -> None:
        self._buffer += chunk
        if len(self._buffer) >= WRITE_BYTES:
            self.flush()

    def flush(self) -> None:
        data, self._buffer = self._buffer, bytearray()
        self._part.append(data)
