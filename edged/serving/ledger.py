"""What was promised, on disk: accepted requests and replies that may have to go out again.

SQLite in WAL mode with synchronous=FULL: what `apply` returned from survives a power cut.
A file that cannot be trusted is moved aside, never mended and never a reason not to start.
"""

from __future__ import annotations

import math
import sqlite3
import zlib
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, get_args

import msgspec
from msgspec import Struct

from edged.errors import StorageError
from edged.serving import effects
from edged.serving.request import KEY_SEPARATOR, Request
from edged.serving.row import Row, State, StoredReply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from edged.clock import Clock
    from edged.serving.effects import LedgerOp

SCHEMA_VERSION = 1
# Nobody else has the file open; a forgotten sqlite3 shell may hold us up so long.
BUSY_MS = 250
# 256 MiB of 4 KiB pages: 64 waiting prompts and 1024 replies are some 20 MiB.
MAX_PAGES = 65536
# The log is folded into the file at 4 MiB, and the file of the log is cut back to that.
WAL_PAGES = 1024
WAL_BYTES = 4 * 1024 * 1024
# Capacity, untaken and remembered replies are bounded in the dispatcher; this is for a
# file that comes from a configuration with other bounds.
MAX_ROWS = 16384

_PRAGMAS = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = {WAL_PAGES};
PRAGMA journal_size_limit = {WAL_BYTES};
PRAGMA max_page_count = {MAX_PAGES};
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
"""
_SCHEMA = f"""
CREATE TABLE entry (
    n INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'replied', 'done')),
    attempts INTEGER NOT NULL,
    fingerprint TEXT,
    accepted_wall REAL NOT NULL,
    settled_wall REAL,
    request BLOB,
    reply BLOB
) STRICT;
PRAGMA user_version = {SCHEMA_VERSION};
"""
_COLUMNS = "key, state, attempts, fingerprint, accepted_wall, settled_wall, request, reply"
_INSERT = f"INSERT OR REPLACE INTO entry ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_CHECK_BYTES = 4
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
                _DO[type(op)](connection, op, self._clock.wall())
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
        _trim(connection)
        rows, broken = _read(connection, self._clock.wall())
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
    if version > SCHEMA_VERSION:
        raise _Untrusted(_NEWER, ".newer")
    found = _one(connection, "PRAGMA quick_check(1)")
    if found != "ok":
        raise _Untrusted(_DAMAGED)
    tables = _one(connection, "SELECT count(*) FROM sqlite_schema")
    if version == 0 and tables == 0:
        connection.executescript("BEGIN IMMEDIATE;" + _SCHEMA + "COMMIT;")
    elif version != SCHEMA_VERSION:
        raise _Untrusted(_FOREIGN)


def _one(connection: sqlite3.Connection, query: str) -> Any:
    with closing(connection.execute(query)) as cursor:
        return cursor.fetchone()[0]


def _trim(connection: sqlite3.Connection) -> None:
    connection.execute(
        "DELETE FROM entry WHERE state = 'done' AND n IN"
        " (SELECT n FROM entry ORDER BY n DESC LIMIT -1 OFFSET ?)",
        (MAX_ROWS,),
    )


def _read(connection: sqlite3.Connection, wall: float) -> tuple[tuple[Row, ...], int]:
    rows, broken = [], []
    query = f"SELECT n, {_COLUMNS} FROM entry ORDER BY n"  # noqa: S608 - constants
    for n, *values in connection.execute(query):
        row = _row(values, wall)
        if row is None:
            broken.append((n,))
        else:
            rows.append(row)
    connection.executemany("DELETE FROM entry WHERE n = ?", broken)
    return tuple(rows), len(broken)


def _row(values: list[Any], wall: float) -> Row | None:
    """The row, if every column holds what it should; a disk may return anything."""
    key, state, attempts, fingerprint, accepted, settled, request, reply = values
    try:
        row = Row(
            key=key,
            state=state,
            attempts=attempts,
            fingerprint=fingerprint,
            age_s=_age(accepted, wall),
            settled_s=0.0 if settled is None else _age(settled, wall),
            request=_unseal(request, Request),
            reply=_unseal(reply, StoredReply),
        )
        return row if _is_whole(row) else None
    except (ValueError, TypeError, msgspec.MsgspecError):
        return None


def _age(then: float, wall: float) -> float:
    """Seconds since then; a clock that was set back makes nothing younger than now."""
    age = max(0.0, wall - then)
    if not math.isfinite(age):
        raise ValueError(then)
    return age


def _is_whole(row: Row) -> bool:
    if row.state not in get_args(State) or row.attempts < 0:
        return False
    if row.state in {"waiting", "running"}:
        return row.reply is None and row.request is not None and row.request.key == row.key
    ends = None if row.reply is None else KEY_SEPARATOR + row.reply.id
    return row.request is None and ends is not None and row.key.endswith(ends)


def _seal(value: Struct | None) -> bytes | None:
    """SQLite has no checksums of its own."""
    if value is None:
        return None
    data = msgspec.json.encode(value)
    return zlib.crc32(data).to_bytes(_CHECK_BYTES, "big") + data


def _unseal(blob: bytes | None, kind: type[Any]) -> Any:
    if blob is None:
        return None
    data = blob[_CHECK_BYTES:]
    if zlib.crc32(data).to_bytes(_CHECK_BYTES, "big") != blob[:_CHECK_BYTES]:
        raise ValueError(blob[:_CHECK_BYTES])
    return msgspec.json.decode(data, type=kind)


def _is_corrupt(error: sqlite3.OperationalError) -> bool:
    """Whether the file and not the disk is at fault."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT}


def _accept(connection: sqlite3.Connection, op: effects.Accept, wall: float) -> None:
    _insert(connection, op.row, wall)


def _insert(connection: sqlite3.Connection, row: Row, wall: float) -> None:
    settled = wall - row.settled_s if row.state == "done" else None
    sealed = (_seal(row.request), _seal(row.reply))
    head = (row.key, row.state, row.attempts, row.fingerprint)
    connection.execute(_INSERT, (*head, wall - row.age_s, settled, *sealed))


def _mark_running(connection: sqlite3.Connection, op: effects.MarkRunning, _wall: float) -> None:
    connection.execute(
        "UPDATE entry SET state = 'running', attempts = ? WHERE key = ?", (op.attempts, op.key)
    )


def _mark_waiting(connection: sqlite3.Connection, op: effects.MarkWaiting, _wall: float) -> None:
    connection.execute(
        "UPDATE entry SET state = 'waiting', attempts = ? WHERE key = ?", (op.attempts, op.key)
    )


def _conclude(connection: sqlite3.Connection, op: effects.Conclude, _wall: float) -> None:
    connection.execute(
        "UPDATE entry SET state = 'replied', request = NULL, reply = ? WHERE key = ?",
        (_seal(op.reply), op.key),
    )


def _settle(connection: sqlite3.Connection, op: effects.Settle, wall: float) -> None:
    connection.execute(
        "UPDATE entry SET state = 'done', settled_wall = ? WHERE key = ?", (wall, op.key)
    )


def _forget(connection: sqlite3.Connection, op: effects.Forget, _wall: float) -> None:
    connection.execute("DELETE FROM entry WHERE key = ?", (op.key,))


def _rewrite(connection: sqlite3.Connection, op: effects.Rewrite, wall: float) -> None:
    connection.execute("DELETE FROM entry")
    for row in op.rows:
        _insert(connection, row, wall)


_DO: dict[type, Callable[[sqlite3.Connection, Any, float], None]] = {
    effects.Accept: _accept,
    effects.MarkRunning: _mark_running,
    effects.MarkWaiting: _mark_waiting,
    effects.Conclude: _conclude,
    effects.Settle: _settle,
    effects.Forget: _forget,
    effects.Rewrite: _rewrite,
}
