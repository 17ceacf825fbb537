"""Keeps the board cool: a look at its sensors becomes a pace of the engine, and is told.

Looks are made in a thread, for a sensor may hang. While the engine computes or the pace is not free
there is one a second; else there is one before each state that is published anyway.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from msgspec.structs import replace

from edged.daemon import pacing
from edged.daemon.errand import DiskDone, DiskThread
from edged.engine import frames
from edged.engine.events import EngineDied, EngineUp
from edged.serving import events
from edged.thermal import governor, plausible
from edged.thermal.pace import Admit, Pace, Throttle
from edged.thermal.readings import NoReading, Reading, Senses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edged.daemon.notes import Notes
    from edged.engine.supervisor import Supervisor
    from edged.serving.dispatcher import Dispatcher
    from edged.serving.effects import Effect
    from edged.settings import ThermalConfig
    from edged.telemetry.meter import Meter
    from edged.telemetry.state import HeatView

OWNER = "heat"
LOOK_S = 1.0  # between two looks while it matters: a die gains 1 C in that time
SOON_S = 0.25  # so long a state that is to be published waits for a look under way
STUCK_S = 3.0  # a look takes milliseconds, and a second where the firmware hangs
# The engine tells its effort once a second while it computes; then it is at rest.
TOLD_S = 2.5
CALM_S = 10.0  # the pace may be free for a moment at the edge of its range
FIRMWARE_S = 60.0  # a weak supply dips with every answer, and is one problem and not many


class Heat:
    """Takes items of the inbox; returns the effects to perform.

    Args:
        look: Reads all sensors; called in a thread.
        settings: Trip points.
        idle_s: Seconds between two states while idle.
        target: tok/s that a stream should have.
        engine: Is paced; None where no model could be loaded.
        dispatcher: Is told whom to refuse.
        meter: Knows the sustained rate.
        notes: Are told what changes.
        post: Puts an item into the inbox.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every room
        self,
        *,
        look: Callable[[], Senses],
        settings: ThermalConfig,
        idle_s: float,
        target: Callable[[], float],
        engine: Supervisor | None,
        dispatcher: Dispatcher,
        meter: Meter,
        notes: Notes,
        post: Callable[[object], None],
    ) -> None:
        self._look = look
        self._settings = settings
        self._idle_s = idle_s
        self._target = target
        self._engine = engine
        self._dispatcher = dispatcher
        self._meter = meter
        self._notes = notes
        self._post = post
        self._thread = DiskThread(post, OWNER)
        self._asked_at = -inf
        self._waiting = False
        self._stepped_at = -inf
        self._senses: Senses | None = None
        self._trust = plausible.Trust()
        self._felt_at: float | None = None
        self._governor = governor.State()
        self._pace = Pace()
        self._paced = False
        self._told: Throttle = "none"
        self._slowed_at = -inf
        self._firmware_at: dict[str, tuple[float, str]] = {}
        self._load: frames.Load | None = None
        self._sent: frames.Pace | None = None
        self._doing = pacing.Doing()

    @property
    def free(self) -> bool:
        """Whether nothing slows the engine: only then is a measurement one of the model."""
        return self._pace.throttle == "none" and not self._paced

    @property
    def reading(self) -> Reading | NoReading:
        """The temperature when it was looked at last."""
        return NoReading(pacing.SILENT) if self._senses is None else self._senses.temperature

    @property
    def view(self) -> HeatView:
        """For the state."""
        return pacing.view(self._senses, self._pace, self._held, self._doing)

    @property
    def _held(self) -> float | None:
        """tok/s that one stream is held to."""
        return pacing.paced_tps(self._sent, self._doing)

    def sustained(self, now: float) -> float | None:
        """tok/s of decode over the last minute, by which a model is judged.

        A model that our own pace holds at the target is no slow model; one that it has to hold
        below counts as what it is, for as long as that lasts.
        """
        rate, held = self._meter.sustained(now), self._held
        if rate is None or held is None or held < self._target():
            return rate
        return max(rate, held)

    def due(self, now: float) -> None:
        """Look, if it is time; called after each batch of the inbox."""
        if self._waiting:
            if now - self._asked_at >= STUCK_S and now - self._stepped_at >= LOOK_S:
                self._stepped_at = now
                self._post(DiskDone(None, None, OWNER))
        elif now - self._asked_at >= self._pause(now):
            self._asked_at, self._waiting = now, True
            self._thread.run(None, self._look)

    def looking(self, now: float) -> bool:
        """Whether a look is about to end, for which a state had better wait."""
        return self._waiting and now - self._asked_at < SOON_S

    def next_at(self, now: float) -> float:
        """When `due` must be called again at the latest, in monotonic seconds."""
        if self._waiting:
            if self.looking(now):
                return self._asked_at + SOON_S
            return max(self._asked_at + STUCK_S, self._stepped_at + LOOK_S)
        return self._asked_at + LOOK_S if self._matters(now) else inf

    def hear(self, item: object, now: float) -> list[Effect]:
        """Take an item of the inbox; those of others are ignored."""
        match item:
            case frames.Effort():
                self._doing = pacing.told(self._doing, item, now)
            case EngineUp():
                self._up(item.load)
            case EngineDied():
                self._doing = pacing.Doing()
            case DiskDone(owner="heat", result=None):
                return self._step(None, now)  # the thread hangs in a sensor
            case DiskDone(owner="heat", result=result):
                self._waiting = False
                return self._seen(result, now)
        return []

    def stop(self) -> None:
        """Give up what waits; returns when the thread has ended."""
        self._thread.stop()

    # When to look.

    def _pause(self, now: float) -> float:
        # A tick comes as often as a state is due, and a little early is no look more.
        return LOOK_S if self._matters(now) else max(LOOK_S, self._idle_s - LOOK_S)

    def _matters(self, now: float) -> bool:
        return (
            self._paced
            or self._told != self._pace.throttle
            or self._at_work(now)
            or bool(self._dispatcher.snapshot(now).running)
        )

    def _at_work(self, now: float) -> bool:
        return self._doing.at is not None and now - self._doing.at < TOLD_S

    # What came of it.

    def _seen(self, result: Senses | Exception, now: float) -> list[Effect]:
        if isinstance(result, Exception):
            self._notes.mistake(OWNER, result)
            return self._step(None, now)
        return self._step(result, now)

    def _step(self, senses: Senses | None, now: float) -> list[Effect]:
        self._senses, self._stepped_at = self._believed(senses, now), now
        before = self._pace
        if self._load is not None:
            self._pace = self._govern(self._load, now)
            self._send(self._load)
        self._tell_throttle(now)
        for code, detail in self._problems(now):
            self._notes.heat_problem(code, detail, now)
        return self._admit(before, now)

    def _believed(self, senses: Senses | None, now: float) -> Senses | None:
        """Without a temperature that only time shows to be none."""
        if senses is None:
            return None
        cores = self._doing.cores if self._at_work(now) else 0.0
        self._trust, reading = plausible.judge(self._trust, senses.temperature, cores, now)
        if isinstance(reading, Reading):
            self._felt_at = now
        return replace(senses, temperature=reading)

    def _govern(self, load: frames.Load, now: float) -> Pace:
        if not self._at_work(now):
            self._doing = replace(self._doing, cores=0.0, decoding=0)
        rules = pacing.rules(self._settings, load, self._target())
        found = pacing.sample(self._senses, self._doing)
        self._governor, pace = governor.step(self._governor, rules, found, now)
        return pace if self._settings.enabled else pacing.left_to_firmware(pace)

    def _up(self, load: frames.Load) -> None:
        """A child was greeted with its Load, and with the pace sent last if there was one."""
        self._load, self._doing = load, pacing.Doing()
        self._send(load)

    def _send(self, load: frames.Load) -> None:
        frame, free = pacing.frame(self._pace, load), pacing.frame(Pace(), load)
        if self._engine is not None and pacing.differ(self._sent or free, frame):
            self._sent = frame
            self._engine.pace(frame)
        self._paced = frame != free or self._pace.admit > Admit.ALL

    def _admit(self, before: Pace, now: float) -> list[Effect]:
        if not (self._pace.admit or before.admit):
            return []
        refused = pacing.refused(self._pace.admit)
        event = events.Paced(refused=refused, cool_in_s=self._pace.cooldown_eta_s)
        return self._dispatcher.on(event, now)

    # Telling.

    def _tell_throttle(self, now: float) -> None:
        """Each change of the word; that nothing slows us any more only once it has lasted."""
        word = self._pace.throttle
        if word != "none":
            self._slowed_at = now
        if word != self._told and (word != "none" or now - self._slowed_at >= CALM_S):
            self._told = word
            self._notes.throttle(self.view)

    def _problems(self, now: float) -> Iterator[tuple[str, str | None]]:
        """Each thing that may be wrong, with what is known of it; None: it is well."""
        senses, felt = self._senses, self._felt_at
        lost = felt is not None and now - felt > governor.HOLD_S
        yield "sensor_lost", (senses.reason if senses else pacing.SILENT) if lost else None
        if senses is None:
            return  # the rest is as it was
        yield "too_hot", pacing.too_hot(senses, self._pace.admit, self._settings)
        for code, detail in pacing.firmware(senses).items():
            if detail is not None:
                self._firmware_at[code] = now, detail
            at, known = self._firmware_at.get(code, (-inf, None))
            yield code, known if now - at < FIRMWARE_S else None
