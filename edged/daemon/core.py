"""The composition root: builds the rooms, owns the one inbox; startup, loop, shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import edged
from edged.daemon import making, report
from edged.daemon.alarm import Alarm
from edged.daemon.changing import Changer
from edged.daemon.door import BATCH, Door
from edged.daemon.facts import FactKeeper
from edged.daemon.fleet import Fleet
from edged.daemon.handling import Handling
from edged.daemon.headroom import headroom
from edged.daemon.house import make_house
from edged.daemon.inbox import Inbox
from edged.daemon.items import DrainOver, Stop, Tick, text_alone
from edged.daemon.model import Model, find_model
from edged.daemon.notes import Notes
from edged.daemon.outbound import Outbound
from edged.daemon.outlook import World
from edged.daemon.panel import PanelKeeper
from edged.daemon.reload import Reloader
from edged.daemon.reporter import Reporter
from edged.daemon.rows import Rows
from edged.daemon.survey import selection
from edged.errors import ModelError, StorageError
from edged.health import Health
from edged.mqtt.session import Session
from edged.serving import events
from edged.serving.dispatcher import Dispatcher
from edged.serving.ledger import Ledger
from edged.telemetry import kinds
from edged.telemetry.kinds import Fields
from edged.telemetry.meter import Meter
from edged.thermal import sensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edged.clock import Clock
    from edged.config import Loaded
    from edged.daemon.selection import Selection
    from edged.engine.frames import Messages
    from edged.serving.effects import Effect
    from edged.settings import Config
    from edged.telemetry.journal import Journal
    from edged.telemetry.notify import Notifier
    from edged.thermal.sensor import NoReading, Reading

LEDGER_RETRY_S = 30.0  # seconds between two tries to write a ledger that failed
FLUSH_S = 3.0  # seconds that replies get to reach the broker when we stop
RECEIVE_SPARE = 2  # a cancel and a command get in while a full queue is being refused
LEDGER_FILE = "ledger.sqlite3"
PREFIX_FOLDER = "prefixes"


class Daemon:
    """The rooms and the loop between them.

    Args:
        config: The checked configuration.
        state_dir: Where the ledger lives; it exists.
        cache_dir: Where prefixes are saved; it may not exist.
        password: The broker's password, if any.
        clock: This machine's.
        journal: Where lines go.
        notifier: The service manager.
        sysfs_root: The root of the sensors' files.
        reread: Reads the configuration again, in a thread; raises EdgedError.
    """

    def __init__(  # noqa: PLR0913 - what a test replaces comes in here
        self,
        config: Config,
        *,
        state_dir: Path,
        cache_dir: Path,
        password: bytes | None,
        clock: Clock,
        journal: Journal,
        notifier: Notifier,
        sysfs_root: Path,
        reread: Callable[[], Loaded],
    ) -> None:
        self._config = config
        self._sysfs_root = sysfs_root
        self._clock = clock
        self._journal = journal
        self._notifier = notifier
        self._boot_id = secrets.token_hex(8)
        self._inbox = Inbox()
        self._health = Health()
        self._meter = Meter()
        self._notes = Notes(journal, self._meter, self._health, self._sense)
        self._topics = making.topics(config)
        self._facts = FactKeeper(config.personas, clock, self._notes)
        self._offer = Door(self._inbox, self._topics, self._notes, self._facts).offer
        self._dispatcher = Dispatcher(making.serving_settings(config))
        self._rows = Rows(Ledger(state_dir / LEDGER_FILE, clock), journal)
        self._ledger_retry_at = 0.0
        self._alarm = Alarm(lambda: self._offer(Tick()))
        self._drain_timer: asyncio.TimerHandle | None = None
        self._model = self._find_model()
        self._engine = making.supervisor(config, self._model, self._offer, clock, self._notes)
        self._prefixes = making.prefix_keeper(
            config,
            self._model,
            self._engine,
            folder=cache_dir / PREFIX_FOLDER,
            clock=clock,
            notes=self._notes,
            post=self._offer,
        )
        self._heat = making.heat(
            config,
            sysfs_root,
            self._target_tps,
            engine=self._engine,
            dispatcher=self._dispatcher,
            meter=self._meter,
            notes=self._notes,
            post=self._offer,
        )
        self._session = Session(
            config=config.mqtt,
            topics=self._topics,
            password=password,
            receive_maximum=config.serving.capacity + RECEIVE_SPARE,
            post=self._offer,
            clock=clock,
        )
        self._reporter = self._make_reporter()
        self._reloader = Reloader(
            config, reread, journal=journal, reporter=self._reporter, post=self._offer
        )
        self._panel = self._make_panel()
        self._changer = self._make_changer()
        self._selection = self._make_selection(state_dir)
        self._house = make_house(
            config,
            state_dir,
            topics=self._topics,
            session=self._session,
            notes=self._notes,
            selection=self._selection,
            serves=self._model is not None,
            post=self._offer,
        )
        self._fleet = self._make_fleet()
        self._handling = self._make_handling()
        self._outbound = self._make_outbound()

    async def run(self) -> int:
        """Serves until a signal; returns the exit code."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._signalled)
        loop.add_signal_handler(signal.SIGHUP, self._reloader.ask)
        await self._startup()
        try:
            while not self._drained():
                await self._turn()
        finally:
            await self._shutdown()
        return 0

    async def _startup(self) -> None:
        version = Fields(version=edged.__version__)
        self._journal.write(kinds.STARTED, version)
        # The child loads while the ledger is read and the broker is called.
        if self._engine is not None and self._prefixes is not None:
            self._engine.start()
            self._prefixes.start()
            if self._selection is not None:
                self._selection.start()
        else:
            self._reporter.no_model()
            await self._perform(events.EngineLost(reason="model_bad", retry_in=None))
        await self._restore()
        self._session.start()
        self._panel.start()
        self._arm()

    async def _restore(self) -> None:
        try:
            rows = await self._rows.open()
        except StorageError as error:
            self._notes.ledger_lost(str(error), self._clock.monotonic())
            await self._perform(events.LedgerLost())
            return
        await self._perform(events.Restored(rows=rows))

    async def _turn(self) -> None:
        """One batch of the inbox: decide, commit, perform, report."""
        items = await self._inbox.take(BATCH)
        now = self._clock.monotonic()
        await self._outbound.perform(self._decide(items, now), now)
        if text_alone(items) and not self._alarm.due(now):
            return  # most turns; all below costs as much again, and is done at the alarm
        await self._retry_ledger(now)
        if self._changer is not None:
            self._changer.due(now)
        self._house.due(now)
        self._heat.due(now)
        self._fleet.due(now)
        if not self._heat.looking(now):  # it ends within milliseconds, with the news
            self._reporter.due(now)
        self._panel.due(now)
        self._arm()

    def _decide(self, items: Sequence[object], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for item in items:
            try:
                effects += self._handling.take(item, now)
            except Exception as error:  # noqa: BLE001 - our mistake with one item is not the end of all
                self._journal.mistake(type(item).__name__, error)
        return effects

    async def _perform(self, event: events.Event) -> None:
        now = self._clock.monotonic()
        await self._outbound.perform(self._dispatcher.on(event, now), now)

    async def _retry_ledger(self, now: float) -> None:
        if not self._dispatcher.snapshot(now).memory_only or now < self._ledger_retry_at:
            return
        self._ledger_retry_at = now + LEDGER_RETRY_S
        with contextlib.suppress(StorageError):
            await self._perform(events.LedgerBack(rows=await self._rows.open()))
            if not self._dispatcher.snapshot(now).memory_only:
                self._notes.ledger_back()

    # Sources of the inbox.

    def _signalled(self) -> None:
        loop = asyncio.get_running_loop()
        if self._drain_timer is None:
            self._notifier.stopping("finishing the running answer")
            self._journal.write(kinds.STOPPING)
            self._drain_timer = loop.call_later(
                self._reloader.config.serving.drain_s, self._offer, DrainOver()
            )
            self._offer(Stop())
        else:
            # Asked twice: somebody is in a hurry.
            self._offer(DrainOver())

    def _arm(self) -> None:
        now = self._clock.monotonic()
        rooms = (self._reporter.next_at(now), self._heat.next_at(now))
        self._alarm.set(min(*rooms, self._panel.next_at(), self._fleet.next_at), now)

    def _used(self, messages: Messages, now: float) -> None:
        if self._prefixes is not None:
            self._prefixes.used(messages, now)

    def _sense(self) -> Reading | NoReading:
        return self._heat.reading

    def _target_tps(self) -> float:
        chosen = self._selection
        return self._reloader.config.engine.target_tps if chosen is None else chosen.target_tps

    # The end.

    def _drained(self) -> bool:
        standing = self._dispatcher.snapshot(self._clock.monotonic())
        return standing.draining and not standing.running

    async def _shutdown(self) -> None:
        """Mirrors the startup: broker, child, ledger."""
        self._alarm.cancel()
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        self._reporter.due(self._clock.monotonic())
        await self._session.close(FLUSH_S)
        # What the broker took in those seconds is settled, else it would be sent again.
        while items := self._inbox.take_now(BATCH):
            now = self._clock.monotonic()
            await self._outbound.perform(self._decide(items, now), now)
        self._panel.stop()
        self._heat.stop()
        self._house.stop()
        if self._selection is not None:
            self._selection.stop()
        if self._changer is not None:
            await self._changer.stop()
        if self._engine is not None:
            await self._engine.stop()
        if self._prefixes is not None:
            self._prefixes.stop()
        await self._rows.close()
        self._journal.write(kinds.STOPPED)

    # The rooms.

    def _find_model(self) -> Model | None:
        try:
            return find_model(self._config)
        except ModelError as error:
            missing = isinstance(error.__cause__, FileNotFoundError)
            self._notes.model_bad(str(error), self._clock.monotonic(), missing=missing)
            return None

    def _make_changer(self) -> Changer | None:
        if not (self._engine and self._prefixes and self._model):
            return None
        rooms = (self._engine, self._prefixes, self._dispatcher, self._reporter, self._notes)
        return Changer(*rooms, model=self._model)

    def _make_selection(self, state_dir: Path) -> Selection | None:
        if not (self._engine and self._changer):
            return None
        rooms = (self._dispatcher, self._session, self._topics, self._notes, self._clock)
        heat = self._heat
        world = World(*rooms, sustained=heat.sustained, free=lambda: heat.free)
        return selection(
            self._config, state_dir, world, self._changer, self._engine, post=self._offer
        )

    def _make_reporter(self) -> Reporter:
        model = None if self._model is None else self._model.view
        return Reporter(
            dispatcher=self._dispatcher,
            health=self._health,
            info=report.info(self._config, model, self._boot_id),
            journal=self._journal,
            meter=self._meter,
            notifier=self._notifier,
            heat=lambda: self._heat.view,
            headroom=partial(headroom, Path("/"), self._config.model.reserve_mib),
            session=self._session,
            settings=self._config.telemetry,
            started_at=self._clock.monotonic(),
            topics=self._topics,
        )

    def _make_fleet(self) -> Fleet:
        return Fleet(
            enabled=self._config.fleet.enabled,
            dispatcher=self._dispatcher,
            session=self._session,
            meter=self._meter,
            reporter=self._reporter,
            sense=self._sense,
            hot_c=self._config.thermal.hot_c,
        )

    def _make_panel(self) -> PanelKeeper:
        return PanelKeeper(
            self._config.panel,
            dispatcher=self._dispatcher,
            health=self._health,
            journal=self._journal,
            clock=self._clock,
            sense=partial(sensor.read, self._sysfs_root),  # a fan turns while nobody asks, too
            free=lambda: self._heat.free,
            post=self._offer,
        )

    def _make_handling(self) -> Handling:
        return Handling(
            dispatcher=self._dispatcher,
            engine=self._engine,
            session=self._session,
            topics=self._topics,
            rules=making.rules(self._config, self._topics),
            notes=self._notes,
            meter=self._meter,
            reporter=self._reporter,
            heat=self._heat,
            broker=f"{self._config.mqtt.host}:{self._config.mqtt.port}",
            boot_id=self._boot_id,
            prefixes=self._prefixes,
            selection=self._selection,
            known_to=self._house,
            reloader=self._reloader,
        )

    def _make_outbound(self) -> Outbound:
        return Outbound(
            commit=self._rows.commit,
            dispatcher=self._dispatcher,
            engine=self._engine,
            session=self._session,
            topics=self._topics,
            notes=self._notes,
            reply_expiry_s=self._config.mqtt.reply_expiry_s,
            used=self._used,
            told=self._facts.told,
        )
