"""The table of the ledger: rows to columns and back, with nothing believed that is read."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any, Protocol, get_args

import msgspec
from msgspec import Struct

from edged.serving import effects
from edged.serving.request import KEY_SEPARATOR, Request
from edged.serving.row import Row, State, StoredReply

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1
# Capacity, untaken and remembered replies are bounded in the dispatcher; this is for a
# file that comes from a configuration with other bounds.
MAX_ROWS = 16384

SCHEMA = f"""
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
PRAGMA user_version = {VERSION};
"""
_COLUMNS = "key, state, attempts, fingerprint, accepted_wall, settled_wall, request, reply"
_INSERT = f"INSERT OR REPLACE INTO entry ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_CHECK_BYTES = 4


class Connection(Protocol):
    """What is needed of a database, so that only the ledger knows which one it is."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Any:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Any, /) -> Any:
        """Run one statement for each of these."""


def trim(connection: Connection) -> None:
    """Delete the oldest of the answered rows that are beyond `MAX_ROWS`."""
    connection.execute(
        "DELETE FROM entry WHERE state = 'done' AND n IN"
        " (SELECT n FROM entry ORDER BY n DESC LIMIT -1 OFFSET ?)",
        (MAX_ROWS,),
    )


def read(connection: Connection, wall: float) -> tuple[tuple[Row, ...], int]:
    """All rows, oldest first, and how many were damaged and are deleted now."""
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


def _accept(connection: Connection, op: effects.Accept, wall: float) -> None:
    _insert(connection, op.row, wall)


def _insert(connection: Connection, row: Row, wall: float) -> None:
    settled = wall - row.settled_s if row.state == "done" else None
    sealed = (_seal(row.request), _seal(row.reply))
    head = (row.key, row.state, row.attempts, row.fingerprint)
    connection.execute(_INSERT, (*head, wall - row.age_s, settled, *sealed))


def _mark_running(connection: Connection, op: effects.MarkRunning, _wall: float) -> None:
    connection.execute(
        "UPDATE entry SET state = 'running', attempts = ? WHERE key = ?", (op.attempts, op.key)
    )


def _mark_waiting(connection: Connection, op: effects.MarkWaiting, _wall: float) -> None:
    connection.execute(
        "UPDATE entry SET state = 'waiting', attempts = ? WHERE key = ?", (op.attempts, op.key)
    )


def _conclude(connection: Connection, op: effects.Conclude, _wall: float) -> None:
    connection.execute(
        "UPDATE entry SET state = 'replied', request = NULL, reply = ? WHERE key = ?",
        (_seal(op.reply), op.key),
    )


def _settle(connection: Connection, op: effects.Settle, wall: float) -> None:
    connection.execute(
        "UPDATE entry SET state = 'done', settled_wall = ? WHERE key = ?", (wall, op.key)
    )


def _forget(connection: Connection, op: effects.Forget, _wall: float) -> None:
    connection.execute("DELETE FROM entry WHERE key = ?", (op.key,))


def _rewrite(connection: Connection, op: effects.Rewrite, wall: float) -> None:
    connection.execute("DELETE FROM entry")
    for row in op.rows:
        _insert(connection, row, wall)


# What each ledger effect does to the table.
DO: dict[type, Callable[[Connection, Any, float], None]] = {
    effects.Accept: _accept,
    effects.MarkRunning: _mark_running,
    effects.MarkWaiting: _mark_waiting,
    effects.Conclude: _conclude,
    effects.Settle: _settle,
    effects.Forget: _forget,
    effects.Rewrite: _rewrite,
}
