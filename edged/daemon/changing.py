"""Puts another model into the child, between requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edged.engine.supervisor import SERVING
from edged.serving import events

if TYPE_CHECKING:
    from pathlib import Path

    from edged.daemon.model import Model
    from edged.daemon.notes import Notes
    from edged.daemon.prefixes import PrefixKeeper
    from edged.daemon.reporter import Reporter
    from edged.engine.supervisor import Supervisor
    from edged.serving.dispatcher import Dispatcher
    from edged.serving.effects import Effect


class Changer:
    """Lets the running answers end, then changes the model; who waits goes on waiting.

    Args:
        engine: The child's supervisor.
        prefixes: Knows what belongs to a model.
        dispatcher: Starts nothing meanwhile.
        reporter: Says which model it is.
        notes: For the journal.
        model: What the child has now.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every room
        self,
        engine: Supervisor,
        prefixes: PrefixKeeper,
        dispatcher: Dispatcher,
        reporter: Reporter,
        notes: Notes,
        *,
        model: Model,
    ) -> None:
        self._engine = engine
        self._prefixes = prefixes
        self._dispatcher = dispatcher
        self._reporter = reporter
        self._notes = notes
        self._wanted: Model | None = None
        self._task: asyncio.Task[None] | None = None
        self.model = model

    @property
    def busy(self) -> bool:
        """Whether a change is under way."""
        return self._wanted is not None or self._task is not None

    @property
    def unsettled(self) -> bool:
        """Whether the child that serves is yet to come: who was there is about to go, or gone."""
        return self.busy or self._engine.state not in SERVING

    @property
    def saving(self) -> bool:
        """Whether a change now would cost what was just read for the present model."""
        return self._prefixes.saving

    @property
    def path(self) -> Path:
        """Of the file that the child has, or is about to have."""
        return (self._wanted or self.model).path

    def ask(self, model: Model, now: float) -> list[Effect]:
        """Change to this model as soon as nothing runs; the latest wish counts."""
        self._wanted = model
        return self._dispatcher.on(events.EngineChanging(), now)

    def due(self, now: float) -> None:
        """Begin the change if it is time; called after each batch of the inbox."""
        if self._wanted is None or self._task is not None:
            return
        standing = self._dispatcher.snapshot(now)
        if standing.running or standing.draining:
            return
        self.model, self._wanted = self._wanted, None
        self._prefixes.change(self.model.path, self.model.fingerprint)
        self._reporter.changing(self.model.view)
        self._task = asyncio.get_running_loop().create_task(self._change(), name="change of model")

    async def stop(self) -> None:
        """Let a change that has begun come to its end; none begins any more."""
        self._wanted = None
        if self._task is not None:
            await self._task

    async def _change(self) -> None:
        try:
            await self._engine.change(self.model.load)
        except Exception as error:  # noqa: BLE001 - told, and the daemon lives on
            self._notes.mistake("change of model", error)
        finally:
            self._task = None
