"""The models directory: whole files, parts, bad ones, and what is written beside them.

    NAME.gguf            a whole file      NAME.gguf.json       how it was verified
    NAME.gguf.part       a download        NAME.gguf.part.json  where it goes on
    quarantine/N-NAME    a bad file        quarantine/N-NAME.json  why

A file is only ever replaced by a rename, so a process that has it mapped keeps what it mapped.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edged.errors import StorageError
from edged.files import move, read_bounded, remove, sweep, write_atomic
from edged.models import room
from edged.models.records import (
    ENDING,
    MAX_RECORD_BYTES,
    PartRecord,
    Quarantined,
    Record,
    decode,
    encode,
    one_line,
    safe_name,
)
from edged.partfile import MODE, PartFile

if TYPE_CHECKING:
    from edged.models.records import AnyRecord
    from edged.models.variants import Variant

QUARANTINE = "quarantine"
PART = ".part"
JSON = ".json"
MAX_MARKS = 64  # reasons that are kept of bad downloads, those before them are forgotten
MAX_FILES = 4096  # names looked at in a directory; more are nobody's model files
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
DIRECTORY_MODE = 0o755


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file.

    Attributes:
        file: Its name.
        bytes: Its size.
        record: How it was verified; None: it never was, so somebody else put it there.
        changed: It is not the file that was verified any more.
    """

    file: str
    bytes: int
    record: Record | None
    changed: bool


class Partial(msgspec.Struct, frozen=True, kw_only=True):
    """A download that is not whole.

    Attributes:
        file: The name that it will have.
        bytes: That are there.
        record: Where it goes on, if it does.
    """

    file: str
    bytes: int
    record: PartRecord | None


class Store:
    """A directory of model files.

    Args:
        directory: Made by `prepare` if it is not there.
        boot_id: A file that identifies this run of the kernel.

    Attributes:
        directory: See above.
        boot: The run of the kernel, if that can be known.
    """

    def __init__(self, directory: Path, boot_id: Path = BOOT_ID) -> None:
        self.directory = directory
        self.boot: str | None = None
        with contextlib.suppress(StorageError, UnicodeDecodeError):
            self.boot = read_bounded(boot_id, 64).decode("ascii").strip() or None

    def prepare(self) -> None:
        """Make the directory.

        Raises:
            StorageError: It cannot be made, or written to.
        """
        try:
            self.directory.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise _fault(self.directory, "cannot be made", error) from error

    def path(self, file: str) -> Path:
        """Where the whole file is."""
        return self.directory / file

    def space(self) -> tuple[int, int]:
        """Bytes that are free for us on the disk, and those of all of it; raises StorageError."""
        try:
            facts = os.statvfs(self.directory)
        except OSError as error:
            raise _fault(self.directory, "cannot be measured", error) from error
        return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize

    def part(self, file: str) -> PartFile:
        """The part of a file, for us alone; raises StorageError."""
        part = PartFile(self.path(file + PART))
        try:
            sweep(self.directory, file)  # of a process that was killed while it had the part
        except BaseException:
            part.close()
            raise
        return part

    def part_record(self, file: str) -> PartRecord | None:
        """Where a download goes on; None: it begins anew."""
        return self._read(self.path(file + PART + JSON), PartRecord)

    def write_part_record(self, file: str, record: PartRecord) -> None:
        """Remember where a download goes on; raises StorageError."""
        self._write(self.path(file + PART + JSON), record)

    def drop_part_record(self, file: str) -> None:
        """Forget it; raises StorageError."""
        remove(self.path(file + PART + JSON))

    def record(self, file: str) -> Record | None:
        """How a file was verified, whether it is there still or not."""
        return self._read(self.path(file + JSON), Record)

    def write_record(self, file: str, record: Record) -> None:
        """Remember how a file was verified; raises StorageError."""
        self._write(self.path(file + JSON), record)

    def stored(self, file: str) -> Stored | None:
        """A whole file, looked at but not read; None if there is none."""
        try:
            facts = self.path(file).stat()
        except OSError:
            return None
        record = self.record(file)
        stamp = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
        changed = record is not None and not _same(record.stamp, stamp)
        return Stored(file=file, bytes=facts.st_size, record=record, changed=changed)

    def files(self) -> tuple[Stored, ...]:
        """All whole files, by name."""
        found = (self.stored(name) for name in self._names(ENDING))
        return tuple(one for one in found if one is not None)

    def partials(self) -> tuple[Partial, ...]:
        """All downloads that are not whole, by name."""
        found = []
        for name in self._names(ENDING + PART):
            with contextlib.suppress(OSError):
                size = self.path(name).stat().st_size
                file = name.removesuffix(PART)
                found.append(Partial(file=file, bytes=size, record=self.part_record(file)))
        return tuple(found)

    def quarantined(self) -> tuple[Quarantined, ...]:
        """All bad files, by the number of their record."""
        return tuple(mark for _, mark in self._marks())

    def bad(self, variant: Variant) -> Quarantined | None:
        """Why a variant must not be loaded or fetched, if so."""
        return next((mark for mark in self.quarantined() if mark.concerns(variant)), None)

    def quarantine(self, mark: Quarantined, part: PartFile | None = None) -> Quarantined:
        """Put a bad file aside.

        Args:
            mark: Whose, and why.
            part: The bad file is this download; None: it is the whole one of the mark's name.

        Returns:
            The mark with the name of what was kept.

        Raises:
            StorageError: The disk does not let us.
        """
        folder = self.directory / QUARANTINE
        try:
            folder.mkdir(DIRECTORY_MODE, exist_ok=True)
        except OSError as error:
            raise _fault(folder, "cannot be made", error) from error
        kept = self._free_name(mark.file)
        path = self.path(mark.file + (PART if part is not None else ""))
        mark = msgspec.structs.replace(mark, kept=kept, reason=one_line(mark.reason))
        # first the reason, then the file: a bad file must not come back for want of one
        self._write(folder / (kept + JSON), mark)
        if path.exists():
            move(path, folder / kept)
        self._bound()
        return mark

    def forgive(self, file: str) -> int:
        """Forget that files of that name were bad; what was kept of them goes unless it is others'.

        Returns:
            How many there were.

        Raises:
            StorageError: The disk does not let us.
        """
        marks = [(name, mark) for name, mark in self._marks() if mark.file == file]
        for name, mark in marks:
            if mark.fetched:
                remove(self.directory / QUARANTINE / name.removesuffix(JSON))
            remove(self.directory / QUARANTINE / name)
        return len(marks)

    def evict(self, file: str) -> None:
        """Remove a whole file for room; its record stays, so that its sha256 stays pinned.

        Raises:
            StorageError: The disk does not let us.
        """
        remove(self.path(file))

    def remove(self, file: str) -> int:
        """Remove all that there is of a file.

        Returns:
            Bytes that became free.

        Raises:
            StorageError: The disk does not let us; `errno` is EWOULDBLOCK while it is downloaded.
        """
        freed = 0
        if self.path(file + PART).exists():
            with contextlib.closing(self.part(file)) as part:
                freed += part.size
                part.remove()
        whole = self.stored(file)
        if whole is not None:
            freed += whole.bytes
            remove(self.path(file))
        for ending in (PART + JSON, JSON):
            remove(self.path(file + ending))
        self.forgive(file)
        return freed

    def _names(self, ending: str) -> list[str]:
        return [name for name in _listed(self.directory) if _is_ours(name, ending)]

    def _marks(self) -> list[tuple[str, Quarantined]]:
        folder = self.directory / QUARANTINE
        found = []
        for name in _listed(folder):
            mark = self._read(folder / name, Quarantined) if name.endswith(JSON) else None
            if mark is not None and mark.kept == name.removesuffix(JSON):
                found.append((name, mark))
        return found

    def _free_name(self, file: str) -> str:
        taken = {name.partition("-")[0] for name in _listed(self.directory / QUARANTINE)}
        number = next(n for n in range(MAX_FILES + 1) if str(n) not in taken)
        return f"{number}-{file}"

    def _bound(self) -> None:
        """Let go of what edged fetched; files of others are not ours to remove."""
        folder = self.directory / QUARANTINE
        marks = [one for one in self._marks() if one[1].fetched]
        marks.sort(key=lambda one: one[1].wall)
        for name, _ in marks[:-MAX_MARKS]:
            remove(folder / name)
        kept = []
        for name, mark in marks:
            with contextlib.suppress(OSError):
                size = (folder / name.removesuffix(JSON)).stat().st_size
                kept.append(room.Candidate(name.removesuffix(JSON), size, mark.wall))
        for name in room.surplus(kept):
            remove(folder / name)

    def _read(self, path: Path, kind: type[AnyRecord]) -> AnyRecord | None:
        try:
            return decode(read_bounded(path, MAX_RECORD_BYTES), kind)
        except StorageError:
            return None

    def _write(self, path: Path, record: PartRecord | Record | Quarantined) -> None:
        write_atomic(path, encode(record), MODE)
        if os.geteuid() == 0:  # `sudo edged pull` into the folder of the service's user
            owner = self.directory.stat()
            os.chown(path, owner.st_uid, owner.st_gid)


def _listed(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for _, entry in zip(range(MAX_FILES), entries, strict=False)]
    except OSError:
        return []
    return sorted(names)


def _is_ours(name: str, ending: str) -> bool:
    stem = name.removesuffix(ending)
    return name.endswith(ending) and safe_name(stem + ENDING) is not None


def _same(known: tuple[int, ...], seen: tuple[int, ...]) -> bool:
    # the device's number may change with a reboot; the file is the same
    return known[1:] == seen[1:]


def _fault(path: Path, what: str, error: OSError) -> StorageError:
    fault = StorageError(f"{path} {what}: {error.strerror}")
    fault.errno = error.errno
    return fault
