from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from edged.daemon.rows import Rows
from edged.errors import StorageError
from edged.serving.ledger import Ledger
from tests.daemon.rooms import Rooms

if TYPE_CHECKING:
    from pathlib import Path


def test_a_ledger_that_cannot_be_read_is_started_anew_and_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"this was never a database, and it is long enough to be told from one" * 9)
    rooms = Rooms()

    async def life() -> tuple[object, ...]:
        rows = Rows(Ledger(path, rooms.clock), rooms.journal)
        found = await rows.open()
        await rows.commit([])
        await rows.close()
        return found

    assert asyncio.run(life()) == ()
    assert any("ledger started anew" in line for line in rooms.lines)
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_what_fails_is_raised_and_the_thread_ends_all_the_same(tmp_path: Path) -> None:
    rooms = Rooms()

    async def life() -> None:
        rows = Rows(Ledger(tmp_path / "missing" / "ledger.sqlite3", rooms.clock), rooms.journal)
        with pytest.raises(StorageError, match="ledger"):
            await rows.open()
        with pytest.raises(StorageError, match="not open"):
            await rows.commit([])
        await rows.close()

    asyncio.run(life())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ledger")]
