"""Options of a decision, read side by side behind one prompt and forgotten at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edged.engine.worker.context import ABORTED, FULL
from edged.engine.worker.stepper import NoRoomError

if TYPE_CHECKING:
    from edged.engine.worker.context import Context
    from edged.engine.worker.decision import Decision
    from edged.engine.worker.options import Row
    from edged.engine.worker.prefixes import Prefixes


class Brancher:
    """Reads rounds of options.

    Args:
        context: Computes.
        prefixes: Of that context.
        abort: Asked at each node of a graph; a round that is given up is read again later.
    """

    def __init__(self, context: Context, prefixes: Prefixes, abort: Any) -> None:
        self._context = context
        self._prefixes = prefixes
        self._abort = abort

    def round(self, run: Decision) -> None:
        """Read as many options as there are sequences for, what several begin with once.

        Raises:
            NoRoomError: The runs hold all cells.
            DecodeError: llama.cpp refused.
        """
        count, rows = run.options.round(self._prefixes.branches)
        if not self._prefixes.room(len(rows), time.monotonic()):
            raise NoRoomError
        with self._prefixes.branched(run.sequence, max(count, 1)) as branches:
            at_once = self._context.branch_rows
            for first in range(0, len(rows), at_once):
                part = rows[first : first + at_once]
                if not self._read(run, part, branches):
                    return
        run.passed(count)

    def _read(self, run: Decision, rows: list[Row], branches: list[int]) -> bool:
        """Read some tokens; False if that was given up."""
        batch = self._context.batch
        batch.clear()
        for row in rows:
            position = run.position + row.depth
            batch.fork(row.token, position, [branches[way] for way in row.ways])
        while (code := self._context.decode(self._abort)) == FULL:
            if not self._prefixes.forget_one(time.monotonic()):
                raise NoRoomError
        if code == ABORTED:
            return False
        run.enter(rows)
        return True
