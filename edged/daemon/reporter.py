"""Says how things stand: `state`, `info`, STATUS=, READY=1, the watchdog, the throughput line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edged.daemon import report
from edged.mqtt.packet import Outgoing
from edged.telemetry import kinds
from edged.telemetry.kinds import Fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.engine.events import EngineUp
    from edged.health import Health
    from edged.mqtt.session import Session
    from edged.mqtt.topics import Topics
    from edged.serving.dispatcher import Dispatcher
    from edged.settings import Config, TelemetryConfig
    from edged.telemetry.journal import Journal
    from edged.telemetry.meter import Meter
    from edged.telemetry.notify import Notifier
    from edged.telemetry.state import Advert, HeatView, Info, ModelView, State

THROUGHPUT_S = 60.0  # seconds between two throughput lines in the journal while it works
EXTEND_S = 30.0  # seconds asked of systemd with each sign of progress while loading
TICK_S = 1.0  # seconds between ticks while something waits or runs: expiry needs no finer


class Reporter:
    """Knows when what was last to be said, and says it when it is due.

    Args:
        dispatcher: For the load.
        health: For the problems.
        info: The retained `info` before the engine is up.
        journal: For the throughput line.
        meter: For the rates.
        notifier: The service manager.
        heat: How hot it is and what that costs.
        headroom: Reads the MiB of memory that are free beyond the reserve.
        session: The broker.
        settings: The intervals.
        started_at: Monotonic seconds of the daemon's start.
        topics: The topic tree.
    """

    def __init__(  # noqa: PLR0913 - it reads every room and writes to three
        self,
        *,
        dispatcher: Dispatcher,
        health: Health,
        info: Info,
        journal: Journal,
        meter: Meter,
        notifier: Notifier,
        heat: Callable[[], HeatView],
        headroom: Callable[[], int | None],
        session: Session,
        settings: TelemetryConfig,
        started_at: float,
        topics: Topics,
    ) -> None:
        self._dispatcher = dispatcher
        self._health = health
        self._info = info
        self._journal = journal
        self._meter = meter
        self._notifier = notifier
        self._heat = heat
        self._headroom = headroom
        self._session = session
        self._settings = settings
        self._started_at = started_at
        self._topics = topics
        self._loading = info.model is not None
        self._ready_told = False
        self._announced = False
        self._last: State | None = None
        self._last_at = started_at - settings.state_interval_s
        self._unsaid = True
        self._watchdog_at = started_at
        self._throughput_at = started_at
        self._tokens_told = 0

    @property
    def variant(self) -> str:
        """The loaded variant's name; empty without a model."""
        return "" if self._info.model is None else self._info.model.name

    def announce(self) -> None:
        """Everything retained is to be published anew."""
        self._announced = True

    def engine_up(self, event: EngineUp) -> None:
        """The child answers: this is what READY=1 means."""
        self._loading = False
        ready = event.ready
        model = self._info.model
        if model is not None:
            model = msgspec.structs.replace(model, parameters=ready.n_params, context=ready.n_ctx)
        threads = (event.load.threads, event.load.threads_batch)
        self._info = msgspec.structs.replace(
            self._info,
            model=model,
            engine=ready.system_info,
            threads=threads,
            streams=ready.streams,
        )
        self.announce()
        self._tell_ready()

    def advertise(self, advert: Advert) -> None:
        """What the fleet may know of us has changed."""
        self._info = msgspec.structs.replace(self._info, fleet=advert)
        self.announce()

    def engine_died(self, *, fatal: bool) -> None:
        """The child is gone; one that never comes must not make systemd kill the daemon."""
        self._loading = False
        if fatal:
            self._tell_ready()

    def changing(self, model: ModelView) -> None:
        """Another model is being loaded."""
        self._loading = True
        self._info = msgspec.structs.replace(self._info, model=model)
        self.announce()

    def no_model(self) -> None:
        """There is nothing to load: the daemon is up, answers so, and says why."""
        self._loading = False
        self._tell_ready()

    def reloading(self) -> None:
        """The configuration is read again; before READY=1 nobody waits to hear of it."""
        if self._ready_told:
            self._notifier.reloading()

    def reloaded(self) -> None:
        """The configuration that is in use is the one to go by."""
        if self._ready_told:
            self._notifier.ready()

    def configure(self, config: Config) -> None:
        """Go by these intervals and tell these limits."""
        self._settings = config.telemetry
        self._info = msgspec.structs.replace(self._info, limits=report.limits(config))
        self.announce()

    def loading(self, percent: float) -> None:
        """The child is loading."""
        self._notifier.extend_timeout(EXTEND_S)
        self._notifier.status(f"loading {self.variant}, {percent:.0f} %")

    def _tell_ready(self) -> None:
        if not self._ready_told:
            self._ready_told = True
            self._notifier.ready()

    def due(self, now: float) -> None:
        """Says what is due; called after each batch of the inbox."""
        self._beat(now)
        if not self._announced and now - self._last_at < self._settings.state_interval_s:
            # The token loop passes here with every delta: no sums, no sensor, before it is time.
            self._unsaid = True
            return
        view = self._view(now)
        if self._announced:
            self._publish(self._topics.info, self._info, qos=1)
        changed = self._last is None or _essence(view) != _essence(self._last)
        if self._announced or self._state_is_due(view, now, changed=changed):
            changed = self._announced = False
            self._last, self._last_at = view, now
            # With QoS 1 it would wait behind a flood of replies; the next one comes soon.
            self._publish(self._topics.state, view, qos=0)
            self._notifier.status(report.status_line(view))
        self._unsaid = changed
        self._throughput(view, now)

    def _view(self, now: float) -> State:
        standing = self._dispatcher.snapshot(now)
        return report.state(
            standing=standing,
            rates=self._meter.snapshot(now),
            problems=self._health.visible(now),
            variant=self.variant or None,
            streams=self._info.streams,
            heat=self._heat(),
            ram_headroom_mib=self._headroom(),
            loading=self._loading,
            uptime_s=now - self._started_at,
        )

    def next_at(self, now: float) -> float:
        """When `due` must be called again at the latest, in monotonic seconds."""
        standing = self._dispatcher.snapshot(now)
        busy = standing.waiting or standing.running or standing.memory_only
        pause = TICK_S if busy or self._unsaid else self._settings.idle_interval_s
        watchdog = self._notifier.watchdog_interval_s
        if watchdog is not None:
            pause = min(pause, watchdog)
        expires_at = standing.expires_at
        return now + pause if expires_at is None else min(now + pause, expires_at)

    def _state_is_due(self, view: State, now: float, *, changed: bool) -> bool:
        return changed or view.running > 0 or now - self._last_at >= self._settings.idle_interval_s

    def _publish(self, topic: str, value: State | Info, *, qos: int) -> None:
        payload = msgspec.json.encode(value)
        self._session.publish(Outgoing(topic=topic, payload=payload, qos=qos, retain=True))

    def _beat(self, now: float) -> None:
        # Fed by the consumer of the inbox itself: a loop that stands still starves the watchdog.
        interval = self._notifier.watchdog_interval_s
        if interval is not None and now - self._watchdog_at >= interval / 2:
            self._watchdog_at = now
            self._notifier.watchdog()

    def _throughput(self, view: State, now: float) -> None:
        if now - self._throughput_at < THROUGHPUT_S:
            return
        self._throughput_at = now
        if view.completion_tokens == self._tokens_told and not view.running:
            return
        self._tokens_told = view.completion_tokens
        self._journal.write(
            kinds.THROUGHPUT,
            Fields(
                variant=view.variant,
                tps_1m=view.tps_1m,
                tps_15m=view.tps_15m,
                pp_tps=view.pp_tps,
                waiting=view.waiting,
                completion_tokens=view.completion_tokens,
            ),
        )


def _essence(view: State) -> tuple[object, ...]:
    """What a person would call a change."""
    return (
        view.status,
        view.paused,
        view.throttle,
        view.waiting,
        view.running,
        view.requests,
        view.problems,
    )
