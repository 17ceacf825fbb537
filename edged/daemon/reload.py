"""Reads the configuration again when asked to, without a pause for what runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edged.daemon import differences
from edged.daemon.items import ConfigRead
from edged.errors import ConfigError, EdgedError
from edged.telemetry import kinds
from edged.telemetry.kinds import Fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.config import Loaded
    from edged.daemon.reporter import Reporter
    from edged.settings import Config
    from edged.telemetry.journal import Journal


class Reloader:
    """Knows which configuration is in use.

    Args:
        config: As the daemon was started with it.
        read: Reads it anew, in a thread; raises EdgedError.
        journal: Is told what changed, or why nothing did.
        reporter: Tells the service manager that it began and ended.
        post: Takes ConfigRead, in the event loop.
    """

    def __init__(
        self,
        config: Config,
        read: Callable[[], Loaded],
        *,
        journal: Journal,
        reporter: Reporter,
        post: Callable[[object], None],
    ) -> None:
        self.config = config
        self._read = read
        self._journal = journal
        self._reporter = reporter
        self._post = post
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def ask(self) -> None:
        """Begin to read; called in the event loop. Asked while it reads, it reads once more."""
        if self._task is not None and not self._task.done():
            self._again = True
            return
        self._reporter.reloading()
        self._task = asyncio.get_running_loop().create_task(self._reading(), name="reload")

    async def _reading(self) -> None:
        reading = True
        while reading:
            self._again = False
            try:
                loaded = await asyncio.to_thread(self._read)
            except EdgedError as error:
                self._journal.write(kinds.CONFIG_REJECTED, Fields(reason=_first(error)))
                self._reporter.reloaded()
            except Exception as error:  # noqa: BLE001 - the manager must not wait for ever
                self._journal.mistake("reload", error)
                self._reporter.reloaded()
            else:
                outdated(self._journal, loaded)
                self._post(ConfigRead(loaded.config))
            reading = self._again

    def take(self, config: Config) -> Config:
        """The configuration in use from now on, of one that was read and has no mistakes."""
        reason = differences.told(self.config, config)
        self.config = differences.taken_over(self.config, config)
        self._journal.set_level(self.config.telemetry.log_level)
        self._journal.write(kinds.CONFIG_RELOADED, Fields(reason=reason))
        self._reporter.reloaded()
        return self.config


def outdated(journal: Journal, loaded: Loaded) -> None:
    """Tell what is written as older versions had it."""
    for note in loaded.notes:
        journal.write(kinds.CONFIG_OUTDATED, Fields(reason=note))


def _first(error: EdgedError) -> str:
    """The first mistake, and how many more there are."""
    problems = error.problems if isinstance(error, ConfigError) else (str(error),)
    more = len(problems) - 1
    return problems[0] + (f", and {more} more" if more else "")
