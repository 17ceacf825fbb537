"""The ledger in a thread of its own, so that the loop never waits for a card."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from edged.errors import StorageError
from edged.telemetry import kinds
from edged.telemetry.kinds import Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edged.serving.effects import LedgerOp
    from edged.serving.ledger import Ledger
    from edged.serving.row import Row
    from edged.telemetry.journal import Journal

T = TypeVar("T")


class Rows:
    """Opens, writes and closes the ledger, from the event loop.

    Args:
        ledger: Used in the thread alone.
        journal: Told of a ledger that had to be started anew.
    """

    def __init__(self, ledger: Ledger, journal: Journal) -> None:
        self._ledger = ledger
        self._journal = journal
        # One thread: transactions keep their order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def open(self) -> tuple[Row, ...]:
        """The rows that a daemon before us left; also opens again what failed.

        Raises:
            StorageError: The file cannot be opened or written.
        """
        opened = await self._run(self._ledger.open)
        if opened.note:
            self._journal.write(kinds.LEDGER_RESET, Fields(reason=opened.note))
        return opened.rows

    async def commit(self, ops: Sequence[LedgerOp]) -> None:
        """Writes in one transaction.

        Raises:
            StorageError: Nothing of it is written.
        """
        await self._run(self._ledger.apply, ops)

    async def close(self) -> None:
        """Closes the ledger and ends the thread."""
        with contextlib.suppress(StorageError):
            await self._run(self._ledger.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
