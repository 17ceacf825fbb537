"""Every item of the inbox, translated for the dispatcher; rooms that only listen are told here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from edged.daemon import inbound, making
from edged.daemon.errand import DiskDone
from edged.daemon.items import ConfigRead, DrainOver, HouseUp, Pressed, Stop, Tick
from edged.daemon.steering import Steering
from edged.daemon.twin import Twin
from edged.engine import events as engine_events
from edged.engine import frames
from edged.models import progress
from edged.mqtt import packet
from edged.mqtt.failure import TAKEN_OVER
from edged.serving import events

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.daemon.heat import Heat
    from edged.daemon.house import House
    from edged.daemon.notes import Notes
    from edged.daemon.prefixes import PrefixKeeper
    from edged.daemon.reload import Reloader
    from edged.daemon.reporter import Reporter
    from edged.daemon.selection import Selection
    from edged.engine.frames import News
    from edged.engine.supervisor import Supervisor
    from edged.mqtt.session import Session
    from edged.mqtt.topics import Inbound, Topics
    from edged.serving.dispatcher import Dispatcher
    from edged.serving.effects import Effect
    from edged.serving.message import Rules
    from edged.telemetry.meter import Meter

    Effects = list[Effect]


class Handling:
    """Takes one item, returns the effects to perform.

    Args:
        dispatcher: Decides.
        engine: To forgive a child that was given up; None where no model could be loaded.
        session: For command results.
        topics: The topic tree.
        rules: Limits for requests.
        notes: Journal and health.
        meter: Counts tokens as they come.
        reporter: Publishes what is retained.
        heat: Paces the engine.
        broker: Host and port, for the journal.
        boot_id: What our `info` says, by which another one of our name is known.
        prefixes: What is said about errands goes there; None where no model could be loaded.
        selection: Chooses the model; None where the owner did.
        known_to: Home Assistant, which is told what we are.
        reloader: Knows which configuration is in use.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every room
        self,
        *,
        dispatcher: Dispatcher,
        engine: Supervisor | None,
        session: Session,
        topics: Topics,
        rules: Rules,
        notes: Notes,
        meter: Meter,
        reporter: Reporter,
        heat: Heat,
        broker: str,
        boot_id: str,
        prefixes: PrefixKeeper | None = None,
        selection: Selection | None = None,
        known_to: House | None = None,
        reloader: Reloader,
    ) -> None:
        self._dispatcher = dispatcher
        self._session = session
        self._topics = topics
        self._rules = rules
        self._notes = notes
        self._meter = meter
        self._reporter = reporter
        self._heat = heat
        self._broker = broker
        self._twin = Twin(boot_id, reporter.announce, notes)
        self._prefixes = prefixes
        self._selection = selection
        self._house = known_to
        self._reloader = reloader
        self._steering = Steering(
            announce=self._announce,
            dispatcher=dispatcher,
            engine=engine,
            session=session,
            topics=topics,
            prefixes=prefixes,
            selection=selection,
        )
        self._handlers: dict[type, Callable[[Any, float], Effects]] = {
            packet.Incoming: self._incoming,
            packet.Connected: self._connected,
            packet.Settled: self._settled,
            packet.Disconnected: self._disconnected,
            packet.Taken: self._taken,
            packet.Refused: self._denied,
            packet.Granted: self._granted,
            engine_events.EngineUp: self._engine_up,
            engine_events.EngineDied: self._engine_died,
            frames.Loading: self._loading,
            frames.Prefill: self._frame,
            frames.Delta: self._delta,
            frames.Effort: self._effort,
            frames.Done: self._frame,
            frames.Failed: self._frame,
            frames.Learned: self._frame,
            frames.Saved: self._frame,
            frames.Measured: self._select,
            **dict.fromkeys(get_args(progress.Event), self._select),
            DiskDone: self._disk_done,
            HouseUp: self._house_up,
            ConfigRead: self._config_read,
            Tick: self._tick,
            Pressed: self._pressed,
            Stop: self._stop,
            DrainOver: self._drain_over,
        }

    def take(self, item: object, now: float) -> Effects:
        """The effects of one item of the inbox."""
        return self._handlers[type(item)](item, now)

    # From the owner.

    def _config_read(self, event: ConfigRead, now: float) -> Effects:
        before = self._reloader.config
        config = self._reloader.take(event.config)
        self._rules = making.rules(config, self._topics)
        self._reporter.configure(config)
        target = config.engine.target_tps
        # what `command/target` asked for meanwhile stands until the file says something new
        if self._selection is not None and target != before.engine.target_tps:
            self._selection.retarget(target)
        serving = config.serving
        limits = events.LimitsSet(
            capacity=serving.capacity,
            per_client=serving.client_share,
            sessions=making.bounds(config.sessions),
        )
        return self._dispatcher.on(limits, now)

    # From the broker.

    def _incoming(self, message: packet.Incoming, now: float) -> Effects:
        meaning = self._topics.parse(message.topic)
        if meaning is None or message.retain:
            # A retained prompt would run again at every reconnect. A retained birth is old news.
            if meaning is not None and meaning.kind == "info":
                self._hear_info(message, now)
            elif meaning is not None and meaning.kind != "house":
                self._notes.retained(message.topic)
            self._acknowledge(message)
            return []
        if meaning.kind == "request":
            # Who asks the fleet listens in one place, whoever answers.
            place = self._topics.shared_reply if meaning.shared else None
            event = inbound.request_event(message, meaning.name, self._rules, place)
            return self._dispatcher.on(event, now)
        effects = self._order(message, meaning, now)
        self._acknowledge(message)
        return effects

    def _acknowledge(self, message: packet.Incoming) -> None:
        if message.qos:
            self._session.acknowledge(message.connection, message.mid)

    def _order(self, message: packet.Incoming, meaning: Inbound, now: float) -> Effects:
        if meaning.kind == "cancel":
            return self._dispatcher.on(inbound.cancel_event(message), now)
        if meaning.kind == "house":
            if self._house is not None:
                self._house.born(message.payload)
            return []
        if meaning.kind == "info":
            self._hear_info(message, now)
            return []
        return self._steering.command(meaning.name or "", message.payload, now)

    def _hear_info(self, message: packet.Incoming, now: float) -> None:
        self._twin.heard(message, now)
        self._session.contested = self._twin.here

    def _announce(self, now: float) -> None:
        if self._house is not None:
            self._house.announce(now)
        self._reporter.announce()
        if self._selection is not None:
            self._selection.announce()

    def _connected(self, event: packet.Connected, now: float) -> Effects:
        self._notes.broker_back(self._broker)
        if not event.refused:  # `Granted` is told only on the connection of the refusal
            self._notes.broker_grants()
        # A broker that was restarted may have lost everything retained.
        self._announce(now)
        return []

    def _settled(self, event: packet.Settled, now: float) -> Effects:
        del event
        return self._dispatcher.on(events.HouseKnown(), now)

    def _house_up(self, event: HouseUp, now: float) -> Effects:
        del event
        self._announce(now)
        return []

    def _disconnected(self, event: packet.Disconnected, now: float) -> Effects:
        self._notes.broker_lost(event, self._broker, now)
        if event.code == TAKEN_OVER:
            self._twin.taken_over(now)
            self._session.contested = True
        return []

    def _taken(self, event: packet.Taken, now: float) -> Effects:
        if event.refused is None:  # a refusal is told by `Refused`, which knows the topic
            self._notes.broker_takes()
        return self._dispatcher.on(events.ReplyTaken(key=event.tag), now)

    def _denied(self, event: packet.Refused, now: float) -> Effects:
        if self._house is not None and self._topics.announces(event.topic):
            self._house.denied(event.topic, event.reason, now)
            return []
        reading = event.topic in {*self._topics.subscriptions(), self._topics.group}
        self._notes.broker_denies(event.topic, event.reason, now, reading=reading)
        return []

    def _granted(self, event: packet.Granted, now: float) -> Effects:
        del event, now
        self._notes.broker_grants()
        return []

    # From the child.

    def _engine_up(self, event: engine_events.EngineUp, now: float) -> Effects:
        if self._selection is not None and self._selection.changing:
            return []  # it came up to be replaced; that of its successor is to come
        self._reporter.engine_up(event)
        self._notes.engine_up(event, self._reporter.variant)
        ready = events.EngineReady(
            variant=self._reporter.variant,
            n_ctx=event.ready.n_ctx,
            streams=event.ready.streams,
        )
        told = [*self._heat.hear(event, now), *self._tell(event, now)]
        return [*self._dispatcher.on(ready, now), *told]

    def _engine_died(self, event: engine_events.EngineDied, now: float) -> Effects:
        self._notes.engine_died(event, now)
        self._reporter.engine_died(fatal=event.retry_in is None)
        lost = events.EngineLost(
            reason=event.reason,
            runs=tuple(
                events.LostRun(key=run.key, tokens_done=run.tokens_done) for run in event.runs
            ),
            during=event.during,
            retry_in=event.retry_in,
        )
        told = [*self._heat.hear(event, now), *self._tell(event, now)]
        return [*self._dispatcher.on(lost, now), *told]

    def _loading(self, event: frames.Loading, now: float) -> Effects:
        del now
        self._reporter.loading(event.percent)
        return []

    def _delta(self, event: frames.Delta, now: float) -> Effects:
        self._meter.feed(event.tokens, now, event.key)
        return self._frame(event, now)

    def _effort(self, frame: frames.Effort, now: float) -> Effects:
        self._meter.computed(frame.tokens, frame.decode_ms / 1e3)
        return self._heat.hear(frame, now)

    def _frame(self, frame: News, now: float) -> Effects:
        if frames.is_errand(frame.key):
            return self._keep(frame, now)
        if frames.is_measure(frame.key):
            return self._select(frame, now)
        event = inbound.frame_event(frame)
        return [] if event is None else self._dispatcher.on(event, now)

    def _keep(self, item: object, now: float) -> Effects:
        """Tell the keeper of prefixes, a comfort: a mistake with them must cost no answer."""
        if self._prefixes is not None:
            try:
                self._prefixes.hear(item, now)
            except Exception as error:  # noqa: BLE001 - see above
                self._notes.mistake("prefixes", error)
        return []

    def _select(self, item: object, now: float) -> Effects:
        """Tell the chooser of models; what serves goes on serving whatever becomes of it."""
        try:
            return [] if self._selection is None else self._selection.hear(item, now)
        except Exception as error:  # noqa: BLE001 - see above
            self._notes.mistake("selection", error)
            return []

    def _tell(self, item: object, now: float) -> Effects:
        return [*self._keep(item, now), *self._select(item, now)]

    def _disk_done(self, event: DiskDone, now: float) -> Effects:
        owners = {"selection": self._select, "heat": self._heat.hear, "house": self._house_kept}
        return owners.get(event.owner, self._keep)(event, now)

    def _house_kept(self, event: DiskDone, now: float) -> Effects:
        del now
        if self._house is not None:
            self._house.hear(event)
        return []

    # From timers and signals.

    def _tick(self, event: Tick, now: float) -> Effects:
        self._twin.due(now)
        self._session.contested = self._twin.here
        return [*self._dispatcher.on(events.Tick(), now), *self._tell(event, now)]

    def _pressed(self, event: Pressed, now: float) -> Effects:
        del event
        paused = not self._dispatcher.snapshot(now).paused
        self._notes.pressed(paused=paused)
        return self._steering.accept(now, on=not paused)

    def _stop(self, event: Stop, now: float) -> Effects:
        del event
        return self._dispatcher.on(events.Drain(), now)

    def _drain_over(self, event: DrainOver, now: float) -> Effects:
        del event
        return self._dispatcher.on(events.DrainOver(), now)
