"""A file that is here: verified as a whole, then put into its place or aside."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from edged.errors import ModelError
from edged.models.fetching import FetchError
from edged.models.fingerprint import fingerprint
from edged.models.local import check_file
from edged.models.records import Quarantined, Record
from edged.models.store import PART
from edged.partfile import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.clock import Clock
    from edged.models.fetching import Code
    from edged.models.records import PartRecord
    from edged.models.store import Store, Stored
    from edged.models.variants import Variant
    from edged.partfile import PartFile


class Arrival:
    """Judges the copies of one file.

    Args:
        store: Where it is.
        variant: What it should be.
        file: Its name in the store.
        clock: Stamps the records.
    """

    def __init__(self, store: Store, variant: Variant, file: str, clock: Clock) -> None:
        self._store = store
        self._variant = variant
        self._file = file
        self._clock = clock

    @property
    def pinned(self) -> str | None:
        """The sha256 of the copy that was verified before, whether it is here still or not."""
        known = self._store.record(self._file)
        return known.sha256 if known is not None else None

    @property
    def wanted(self) -> str | None:
        """The sha256 that the file must have; None: any, for nobody knows."""
        return self._variant.sha256 or self.pinned

    async def adopt(self, stored: Stored) -> Record | None:
        """Verify a whole file that somebody else put here, or has touched.

        Returns:
            Its record; None if it is bad: it was put aside.

        Raises:
            StorageError: The disk does not let us.
        """
        known = stored.record
        path = self._store.path(self._file)
        fetched = known is not None and known.fetched
        sha256 = await _sha256(read_whole(path))
        bad = self._fault_of(sha256, self.wanted, "")
        if bad is not None:
            self._store.quarantine(self._mark(*bad, fetched=fetched, sha256=self.wanted))
            return None
        found = fingerprint(path, check_file(path).data_offset)
        record = Record(
            variant=self._variant.id,
            bytes=stored.bytes,
            sha256=sha256,
            sha256_from="catalogue" if self._variant.sha256 else None,
            digest=found.digest,
            stamp=found.stamp,
            fetched=fetched,
            wall=self._clock.wall(),
        )
        self._store.write_record(self._file, record)
        return record

    async def publish(self, part: PartFile, record: PartRecord) -> Record:
        """Verify a download that has all its bytes, and give it its name.

        Raises:
            FetchError: It is bad, and was put aside.
            StorageError: The disk does not let us.
        """
        wanted = self.wanted or record.sha256
        sha256 = await _sha256(part.chunks())
        bad = self._fault_of(sha256, wanted, PART)
        if bad is not None:
            self._store.quarantine(self._mark(*bad, fetched=True, sha256=wanted), part)
            self._store.drop_part_record(self._file)
            raise FetchError(*bad)
        whole = self._record(part, record, sha256)
        # first the record: a name without one would have to be hashed again
        self._store.write_record(self._file, whole)
        part.publish(self._store.path(self._file))
        self._store.drop_part_record(self._file)
        self._store.forgive(self._file)
        return whole

    def _record(self, part: PartFile, record: PartRecord, sha256: str) -> Record:
        path = self._store.path(self._file + PART)
        found = fingerprint(path, check_file(path).data_offset)
        return Record(
            variant=self._variant.id,
            bytes=record.bytes,
            sha256=sha256,
            sha256_from=record.sha256_from,
            digest=found.digest,
            stamp=part.stamp(),
            commit=record.commit,
            url=record.url,
            wall=self._clock.wall(),
        )

    def _fault_of(self, sha256: str, wanted: str | None, ending: str) -> tuple[Code, str] | None:
        """What is wrong with a file, by its hash and by its header."""
        if wanted is not None and sha256 != wanted:
            return "bad_hash", f"{self._file} has the sha256 {sha256}, not {wanted}"
        try:
            check_file(self._store.path(self._file + ending))
        except ModelError as error:
            return "bad_file", str(error)
        return None

    def _mark(self, code: Code, reason: str, *, fetched: bool, sha256: str | None) -> Quarantined:
        return Quarantined(
            variant=self._variant.id,
            file=self._file,
            code=code,
            reason=reason,
            sha256=sha256,
            fetched=fetched,
            wall=self._clock.wall(),
        )


async def _sha256(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        await asyncio.sleep(0)  # whoever cancels is heard within one chunk
    return digest.hexdigest()
