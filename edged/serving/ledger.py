"""What was promised, on disk: accepted requests and replies that may have to go out again.

SQLite in WAL mode with synchronous=FULL: what `apply` returned from survives a power cut.
A file that cannot be trusted is moved aside, never mended and never a reason not to start.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from edged.errors import StorageError
from edged.serving import records

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edged.clock import Clock
    from edged.serving.effects import LedgerOp
    from edged.serving.row import Row

# Nobody else has the file open; a forgotten sqlite3 shell may hold us up so long.
BUSY_MS = 250
# 256 MiB of 4 KiB pages: 64 waiting prompts and 1024 replies are some 20 MiB.
MAX_PAGES = 65536
# The log is folded into the file at 4 MiB, and the file of the log is cut back to that.
WAL_PAGES = 1024
WAL_BYTES = 4 * 1024 * 1024
_PRAGMAS = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = {WAL_PAGES};
PRAGMA journal_size_limit = {WAL_BYTES};
PRAGMA max_page_count = {MAX_PAGES};
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
"""
_NOT_OPEN = "the ledger is not open"
_NEWER = "written by a newer version"
_DAMAGED = "damaged"
_FOREIGN = "not a ledger"


class Opened(Struct, frozen=True, kw_only=True):
    """What the file held.

    Attributes:
        rows: Every row that can be trusted, oldest first.
        note: What was lost and where it was moved to; None: nothing.
    """

    rows: tuple[Row, ...]
    note: str | None = None


class _Untrusted(Exception):  # noqa: N818 - never leaves this file
    """The file is not ours, not whole or too new; `why` says which."""

    def __init__(self, why: str, suffix: str = ".bad") -> None:
        super().__init__(why)
        self.suffix = suffix


class Ledger:
    """One connection, used from one thread at a time.

    After a `StorageError` from `apply` nothing of that batch is on disk. To try again,
    call `open` and, if that works, apply a `Rewrite`.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._connection: sqlite3.Connection | None = None

    def open(self) -> Opened:
        """Open or create the file and read all rows.

        Raises:
            StorageError: It can neither be used nor replaced; names path and fault.
        """
        self.close()
        try:
            try:
                return self._load()
            except (_Untrusted, sqlite3.DatabaseError) as fault:
                return self._start_fresh(fault)
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise self._error(error) from error

    def apply(self, ops: Iterable[LedgerOp]) -> None:
        """Do all of these in one transaction, on disk when this returns.

        Raises:
            StorageError: None of them was done; names path and fault.
        """
        connection = self._connection
        if connection is None:
            raise self._error(_NOT_OPEN)
        try:
            connection.execute("BEGIN IMMEDIATE")
            for op in ops:
                records.DO[type(op)](connection, op, self._clock.wall())
            connection.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            self._roll_back(connection)
            raise self._error(error) from error

    def close(self) -> None:
        """Close the file; what was applied stays."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")

    def _error(self, fault: object) -> StorageError:
        return StorageError(f"{self._path}: {fault}")

    def _load(self) -> Opened:
        # Prompts are nobody else's business; the log inherits the mode.
        self._path.touch(mode=0o600)
        self._connection = connection = sqlite3.connect(
            self._path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
        )
        connection.executescript(_PRAGMAS)
        _check(connection)
        # A file that cannot be written is to be found out now, not at the first prompt.
        connection.execute("BEGIN IMMEDIATE")
        records.trim(connection)
        rows, broken = records.read(connection, self._clock.wall())
        connection.execute("COMMIT")
        note = f"{self._path}: dropped {broken} damaged rows" if broken else None
        return Opened(rows=rows, note=note)

    def _start_fresh(self, fault: Exception) -> Opened:
        """Move the file and its log aside; a full or read-only disk is no reason to."""
        self.close()
        if isinstance(fault, sqlite3.OperationalError) and not _is_corrupt(fault):
            raise fault
        suffix = fault.suffix if isinstance(fault, _Untrusted) else ".bad"
        aside = self._path.with_name(self._path.name + suffix)
        for part in ("-wal", "-shm", ""):
            source = self._path.with_name(self._path.name + part)
            if source.exists():
                source.replace(aside.with_name(aside.name + part))
        opened = self._load()
        return Opened(rows=opened.rows, note=f"{self._path}: {fault}; moved to {aside.name}")


def _check(connection: sqlite3.Connection) -> None:
    version = _one(connection, "PRAGMA user_version")
    if version > records.VERSION:
        raise _Untrusted(_NEWER, ".newer")
    found = _one(connection, "PRAGMA quick_check(1)")
    if found != "ok":
        raise _Untrusted(_DAMAGED)
    tables = _one(connection, "SELECT count(*) FROM sqlite_schema")
    if version == 0 and tables == 0:
        connection.executescript("BEGIN IMMEDIATE;" + records.SCHEMA + "COMMIT;")
    elif version != records.VERSION:
        raise _Untrusted(_FOREIGN)


def _one(connection: sqlite3.Connection, query: str) -> Any:
    with closing(connection.execute(query)) as cursor:
        return cursor.fetchone()[0]


def _is_corrupt(error: sqlite3.OperationalError) -> bool:
    """Whether the file and not the disk is at fault."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT}
