"""Keeps the best variant serving: looks, swaps, times and fetches, one step at a time.

What the next step is, `edged.models.steps` decides; here it is done. All methods are called in the
event loop; what takes long is done in a thread, whose result comes back through the inbox.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from edged.daemon import trials
from edged.daemon.errand import DiskDone, DiskThread
from edged.daemon.items import Tick
from edged.daemon.lookout import Lookout
from edged.daemon.model import kind_loaded
from edged.daemon.outlook import View, Wish, update
from edged.daemon.timing import KEY, TRIES, Timing
from edged.engine import frames
from edged.engine.events import EngineDied, EngineUp
from edged.models import hold, progress, steps
from edged.models.signs import Signs
from edged.mqtt.packet import Outgoing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edged.daemon.changing import Changer
    from edged.daemon.outlook import Fetcher, Survey, World
    from edged.engine.supervisor import Supervisor
    from edged.models.variants import Variant
    from edged.serving.effects import Effect

IDLE_S = 5.0  # nobody is kept waiting by a measurement that began right behind his answer
DEATHS = 2  # at load: the second one was no accident
MISTAKES = 3  # a board where a child dies of calibration three times chooses by what is published
MAX_BARRED = 64  # more variants than that have no place in one house's life
PUT_ASIDE = frozenset({"bad_hash", "bad_file"})  # whose file is in quarantine now


class Selection:
    """Takes items of the inbox; returns the effects to perform.

    Args:
        survey: Looks and keeps, in a thread.
        changer: Swaps.
        engine: Of the child, to time it.
        open_fetcher: Makes what downloads; its events come back through the inbox.
        world: The other rooms.
        post: Puts an item into the inbox.
        wish: At the start.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every room
        self,
        *,
        survey: Survey,
        changer: Changer,
        engine: Supervisor,
        open_fetcher: Callable[[], Fetcher],
        world: World,
        post: Callable[[object], None],
        wish: Wish,
    ) -> None:
        self._survey = survey
        self._changer = changer
        self._engine = engine
        self._timing = Timing(engine)
        self._open_fetcher = open_fetcher
        self._fetcher: Fetcher | None = None
        self._fetching: str | None = None
        self._arriving: progress.Progress | None = None
        self._update = b""
        self._dispatcher = world.dispatcher
        self._session = world.session
        self._topics = world.topics
        self._notes = world.notes
        self._clock = world.clock
        self._sustained = world.sustained
        self._free = world.free
        self._hold = hold.Hold()
        self._thread = DiskThread(post, "selection")
        self._wish = wish
        self._lookout = Lookout(survey, self._thread, lambda: engine.pid, world.clock, world.notes)
        self._up = False
        self._busy_at = 0.0
        self._again = False
        self._deaths = 0
        self._tried: set[tuple[str, bool, str]] = set()
        self._aside: asyncio.Task[None] | None = None
        self._mistakes: Counter[str] = Counter()

    @property
    def target_tps(self) -> float:
        """tok/s that the variant is to have."""
        return self._wish.target_tps

    @property
    def changing(self) -> bool:
        """Whether news of a child that came up is of one that is about to go, or gone."""
        return self._changer.unsettled

    def start(self) -> None:
        """Look for the first time, while the child loads; called in the event loop."""
        self._fetcher = self._open_fetcher()
        self._see()

    def stop(self) -> None:
        """Give up what waits and what is being fetched; returns when the threads have ended."""
        if self._aside is not None:
            self._aside.cancel()
        if self._fetcher is not None:
            self._fetcher.close()
        self._thread.stop()

    def retarget(self, target_tps: float) -> None:
        """Choose anew for another rate."""
        self._wish = msgspec.structs.replace(self._wish, target_tps=target_tps)
        self._see()

    def pin(self, variant: str) -> None:
        """Take this variant, or with an empty name or `auto` the best one.

        Raises:
            ValueError: It is not one that can be taken.
        """
        pinned = None if variant in {"", "auto"} else variant
        if pinned is not None and self._view is not None and pinned not in self.options:
            message = "the payload must be auto or the id of a variant that can be had and fits"
            raise ValueError(message)
        self._wish = msgspec.structs.replace(self._wish, pinned=pinned)
        self._see()

    def time_again(self) -> None:
        """Time what serves when nobody asks, though it was timed before."""
        self._again, self._timing.tries = True, 0

    @property
    def options(self) -> tuple[str, ...]:
        """Ids of the variants that can be pinned, and of the one that is."""
        found = () if self._view is None else self._view.options
        pinned = self._wish.pinned
        return found if pinned is None or pinned in found else (*found, pinned)

    def announce(self) -> None:
        """Publish the choice, and what is to come in place of what serves."""
        self._tell_update(again=True)
        if self._view is not None:
            topic = self._topics.selection
            self._session.publish(
                Outgoing(topic=topic, payload=self._view.payload, qos=1, retain=True)
            )

    def hear(self, item: object, now: float) -> list[Effect]:
        """Take an item of the inbox; those of others are ignored."""
        match item:
            case EngineUp():
                self._up, self._deaths = True, 0
                self._timing.renew()
                self._tell_update()
            case EngineDied():
                self._died(item)
            case frames.Measured() if item.key == KEY:
                self._measured(item)
            case frames.Failed() if item.key == KEY:
                self._timing.failed(item.code)
            case progress.Progress():
                self._progress(item)
            case progress.Fetched() | progress.FetchFailed():
                self._fetched(item, now)
            case progress.Pinned() | progress.Evicted():
                self._notes.fetch_step(item)
            case DiskDone(result=View() | Signs() | Exception() as result):
                return self._seen(result, now)
            case Tick():
                return self._tick(now)
        return []

    # Looking.

    @property
    def _view(self) -> View | None:
        return self._lookout.view

    def _see(self) -> None:
        self._lookout.see(self._wish)

    def _seen(self, found: View | Signs | Exception, now: float) -> list[Effect]:
        before, result = self._view, self._lookout.take(found, self._wish)
        if result is None:
            return []
        if before is not None and _rungs(before) != _rungs(result):
            self._hold = hold.Hold()
            self._wish = msgspec.structs.replace(self._wish, rung=0)
        if before is None or _chosen(before) != _chosen(result):
            self._notes.chosen(result.local, result.sentence)
        if before is None or before.payload != result.payload:
            self.announce()
        effects = self._step(now)
        self._tell_update()
        return effects

    # Doing.

    def _tick(self, now: float) -> list[Effect]:
        standing = self._dispatcher.snapshot(now)
        if standing.running or standing.waiting:
            self._busy_at = now
            if self._aside is not None:
                self._aside.cancel()
        if self._lookout.due(self._wish, now, calm=self._up and not self._changer.busy):
            self._timing.tries = 0
        self._hold_target(now)
        return self._step(now)

    def _hold_target(self, now: float) -> None:
        """Step down where heat or load keeps the rate under the target, and up again."""
        view = self._view
        if view is None or len(view.ladder) < 2 or self._wish.pinned is not None:  # noqa: PLR2004 - a choice
            return
        rates = [rung.tps for rung in view.ladder]
        target, rate = self._wish.target_tps, self._sustained(now)
        self._hold, move = hold.step(self._hold, rate, rates, target, now)
        if move != "stay":
            self._wish = msgspec.structs.replace(self._wish, rung=self._hold.rung)
            self._notes.stepped(view.ladder[self._hold.rung].variant, move, rate)
            self._see()

    def _step(self, now: float) -> list[Effect]:
        view = self._view
        if view is None or self._lookout.looking:
            return []  # what was done may be to do no more
        if self._changer.busy or self._timing.busy or self._aside:
            return []
        match steps.next_step(self._situation(view)):
            case steps.Swap() if view.model is not None:
                self._up = False
                self._deaths = 0
                return self._changer.ask(view.model, now)
            case steps.MeasureServing() if self._idle(now):
                self._timing.begin(self._changer.model)
            case steps.Try() if self._idle(now) and view.trial is not None:
                self._up = False
                self._tried.add(trials.way(view.trial))
                return self._changer.ask(view.trial, now)
            case steps.Calibrate() if self._idle(now):
                self._beside("calibration", self._calibrate)
            case steps.ReadHeaders() if self._idle(now):
                self._beside("headers", self._read_headers)
            case steps.Fetch() if view.wanted is not None:
                self._fetch(view.wanted, view)
            case steps.StopFetching():
                self._give_up()
        return []

    def _situation(self, view: View) -> steps.Situation:
        model = self._changer.model
        serving, timing = model.view.name, self._timing
        again = self._again or timing.halfway or trials.on_trial(view, model)
        return steps.Situation(
            serving=serving,
            local=view.local,
            best=view.best,
            measured=timing.given_up or (serving in view.measured and not again),
            untried=trials.to_try(view, model, self._tried),
            unlike=trials.unlike(view, model),
            calibrated=view.calibrated or self._given_up("calibration"),
            fetching=self._fetching,
            may_fetch=view.wanted is not None,
            unread=bool(view.unread) and not self._given_up("headers"),
        )

    # Fetching.

    def _fetch(self, variant: Variant, view: View) -> None:
        keep = {self._changer.model.view.file}
        if view.model is not None:
            keep.add(view.model.view.file)
        if self._fetcher is not None:
            self._fetching = variant.id
            self._fetcher.start(variant, keep)

    def _tell_update(self, *, again: bool = False) -> None:
        """What serves, what is to come, and how far it is: retained, told when it changes."""
        view = self._view
        wanted = None if view is None or view.wanted is None else view.wanted.id
        payload = update(self._changer.model.view.name, wanted, self._arriving)
        if again or payload != self._update:
            self._update = payload
            topic = self._topics.update
            self._session.publish(Outgoing(topic=topic, payload=payload, qos=1, retain=True))

    def _give_up(self) -> None:
        self._fetching = None
        if self._fetcher is not None:
            self._fetcher.cancel()

    def _progress(self, event: progress.Progress) -> None:
        topic = self._topics.progress("download")
        self._session.publish(Outgoing(topic=topic, payload=msgspec.json.encode(event)))
        self._arriving = event
        self._tell_update()
        if event.milestone:
            self._notes.fetch_step(event)

    def _fetched(self, event: progress.Fetched | progress.FetchFailed, now: float) -> None:
        self._notes.fetched(event, now)
        if isinstance(event, progress.FetchFailed):
            if event.retry_in is not None:
                if event.code in PUT_ASIDE:
                    self._see()  # the next best one need not wait for a second copy
                return
            self._bar(event.variant, f"it could not be fetched: {event.reason}")
        self._fetching = None
        self._see()

    def _bar(self, variant: str, reason: str) -> None:
        barred = (*self._wish.barred, (variant, reason))[-MAX_BARRED:]
        self._wish = msgspec.structs.replace(self._wish, barred=barred)

    def _idle(self, now: float) -> bool:
        standing = self._dispatcher.snapshot(now)
        asked = standing.running or standing.waiting or standing.draining
        # On a board that is slowed for the heat one would measure the heat.
        calm = self._free() and not self._changer.saving
        return self._up and not asked and calm and now - self._busy_at >= IDLE_S

    def _beside(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Begin what is done while nobody asks, and is given up when somebody does."""
        task = asyncio.get_running_loop().create_task(self._do(name, work), name=name)
        self._aside = task

    async def _do(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            raise  # somebody asks; it begins anew when nobody does
        except Exception as error:  # noqa: BLE001 - told; a board can serve without it
            self._mistakes[name] += 1
            self._notes.mistake(name, error)
        finally:
            self._aside = None
        self._see()

    def _given_up(self, name: str) -> bool:
        return self._mistakes[name] >= MISTAKES

    async def _calibrate(self) -> None:
        await self._survey.calibrate(self._clock, self._engine.pid)

    async def _read_headers(self) -> None:
        if self._view is not None:
            async for said in self._survey.read_headers(self._view.unread):
                self._notes.header(said)

    def _measured(self, frame: frames.Measured) -> None:
        view = self._view
        if view is None:
            self._timing.failed("no board")
            return
        found = self._timing.take(frame, self._changer.model, view.board, self._clock.wall())
        if found is not None:
            self._again = False
            self._thread.forget(self._survey.keep, found)
            self._see()

    def _died(self, event: EngineDied) -> None:
        self._up = self._timing.busy = False
        if event.during != "load":
            return
        if self._view is not None and trials.astray(self._view, self._changer.model):
            self._timing.tries = TRIES  # the way is to blame and not the file
            return
        self._deaths += 1
        if self._deaths >= DEATHS:
            self._deaths = 0
            name = self._changer.model.view.name
            reason = f"it killed the engine {DEATHS} times at load: {event.reason}"
            self._bar(name, reason)
            file = self._changer.model.view.file
            self._thread.forget(self._survey.quarantine, file, name, reason)
            self._see()


def _chosen(view: View) -> tuple[str | None, str | None, str | None]:
    """What the journal is told of: the variants, and how keys and values are kept."""
    kept = None if view.model is None else kind_loaded(view.model.load)
    return view.best, view.local, kept


def _rungs(view: View) -> list[str]:
    return [rung.variant for rung in view.ladder]
