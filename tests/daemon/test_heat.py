"""From a look at the sensors to a pace, refusals, journal lines and problems."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, cast

import pytest
from msgspec.structs import replace

from edged.daemon.errand import DiskDone
from edged.daemon.heat import CALM_S, FIRMWARE_S, LOOK_S, SOON_S, STUCK_S, Heat
from edged.daemon.notes import Notes
from edged.engine import frames
from edged.engine.events import EngineDied
from edged.serving import events
from edged.serving.effects import SendReply
from edged.serving.request import Priority
from edged.settings import ThermalConfig
from edged.thermal.governor import HOLD_S
from edged.thermal.pace import Pace
from edged.thermal.readings import Alarm, NoReading, Reading, Senses, Throttled
from tests.daemon.rooms import Rooms
from tests.daemon.test_pacing import BLIND, EFFORT, WARM
from tests.daemon.test_reporter import UP
from tests.serving.make import arrived, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.engine.supervisor import Supervisor
    from edged.serving.effects import Effect

COOL = replace(WARM, temperature=Reading(45.0))
HOT = replace(WARM, temperature=Reading(79.5))
IDLE_S = 60.0


class FakeThread:
    def __init__(self) -> None:
        self.work: list[Callable[[], object]] = []
        self.stopped = False

    def run(self, _job: object, work: Callable[[], object]) -> None:
        self.work.append(work)

    def stop(self) -> None:
        self.stopped = True


class Desk:
    """Heat over fake rooms; a second at a time."""

    def __init__(self, *, engine: bool = True, up: bool = True, **settings: Any) -> None:
        self.rooms = rooms = Rooms()
        self.senses: Senses | Exception = COOL
        self.sent: list[frames.Pace] = []
        self.posted: list[object] = []
        self.thread = FakeThread()
        self.target = 8.0
        self.heat = Heat(
            look=self.look,
            settings=ThermalConfig(**settings),
            idle_s=IDLE_S,
            target=lambda: self.target,
            engine=cast("Supervisor", self) if engine else None,
            dispatcher=rooms.dispatcher,
            meter=rooms.meter,
            notes=Notes(rooms.journal, rooms.meter, rooms.health, rooms.sense),
            post=self.posted.append,
        )
        self.heat._thread = cast("Any", self.thread)
        rooms.dispatcher.on(events.EngineReady(variant="p", n_ctx=512, streams=1), 0.0)
        if up:
            self.heat.hear(UP, self.now)

    @property
    def now(self) -> float:
        return self.rooms.clock.monotonic()

    def pace(self, frame: frames.Pace) -> None:
        self.sent.append(frame)

    def look(self) -> Senses:
        assert isinstance(self.senses, Senses)
        return self.senses

    def answer(self) -> list[Effect]:
        """The thread does what it was asked for."""
        effects: list[Effect] = []
        for work in self.thread.work:
            found = self.senses if isinstance(self.senses, Exception) else work()
            effects += self.heat.hear(DiskDone(None, found, "heat"), self.now)
        self.thread.work.clear()
        return effects

    def after(self, seconds: float, senses: Senses | None = None, *, busy: bool = True) -> None:
        """Live so long at these readings."""
        self.senses = senses or self.senses
        for _ in range(int(seconds)):
            self.rooms.clock.advance(1.0)
            if busy:
                self.heat.hear(EFFORT, self.now)
            self.heat.due(self.now)
            self.answer()

    def problems(self) -> set[str]:
        return {problem.code for problem in self.rooms.health.visible(self.now)}

    def lines(self, word: str) -> list[str]:
        return [line for line in self.rooms.lines if word in line]


def test_a_cool_board_is_left_alone_and_told_of() -> None:
    desk = Desk()
    desk.after(30)
    assert desk.sent == []
    assert desk.heat.free
    assert desk.heat.reading == Reading(45.0)
    view = desk.heat.view
    assert (view.temp_c, view.throttle, view.pace_tps, view.threads) == (45.0, "none", None, 3)
    assert not desk.lines("paced")


def test_before_the_first_look_nothing_is_known() -> None:
    desk = Desk()
    assert isinstance(desk.heat.reading, NoReading)
    assert desk.heat.view.temp_c is None
    assert desk.heat.free


def test_heat_becomes_a_pace_and_a_line() -> None:
    desk = Desk()
    desk.after(5)
    desk.after(20, HOT)
    assert desk.sent
    assert desk.sent[-1].threads < 2 or desk.sent[-1].idle_share > 0
    assert not desk.heat.free
    assert desk.heat.view.throttle == "paced"
    assert desk.heat.view.pace_tps is not None
    (line,) = desk.lines("NOTICE paced")
    assert "temp_c=79.50" in line
    assert "throttle=paced" in line


def test_a_pace_is_sent_when_it_changed_and_not_each_second() -> None:
    desk = Desk()
    desk.after(5)
    desk.after(60, HOT)
    count = len(desk.sent)
    desk.after(60)
    assert len(desk.sent) == count, "it is at its end"


def test_it_recovers_and_says_so_once_it_lasts() -> None:
    desk = Desk()
    desk.after(20, HOT)
    desk.after(300, COOL)
    free = frames.Pace(threads=2, threads_batch=2)
    assert desk.sent[-1] == free
    assert desk.heat.free
    assert len(desk.lines("cool again")) == 1
    assert desk.problems() == set()


def test_a_moment_without_a_pace_is_not_told() -> None:
    desk = Desk()
    desk.after(20, HOT)
    desk.heat._pace = Pace()
    desk.heat._told = "paced"
    desk.heat._tell_throttle(desk.heat._slowed_at + CALM_S - 1)
    assert not desk.lines("cool again")
    desk.heat._tell_throttle(desk.heat._slowed_at + CALM_S)
    assert len(desk.lines("cool again")) == 1


def refusal(effects: list[Effect]) -> Any:
    (reply,) = [effect.reply for effect in effects if isinstance(effect, SendReply)]
    return reply


def test_a_hot_board_refuses_background_work_and_says_when_it_will_be_cool() -> None:
    desk = Desk()
    desk.after(5)
    desk.after(20, replace(WARM, temperature=Reading(78.5)))
    asked = request("bg", priority=Priority.BACKGROUND)
    reply = refusal(desk.rooms.dispatcher.on(arrived(asked), desk.now))
    assert (reply.status, reply.error.code) == ("rejected", "too_hot")
    assert reply.error.retry_after_s >= 1.0
    normal = desk.rooms.dispatcher.on(arrived(request("n"), 2), desk.now)
    assert not any(isinstance(effect, SendReply) for effect in normal)
    assert "too_hot" in desk.problems()
    (line,) = desk.lines("WARNING problem code=too_hot")
    assert "background requests are refused" in line
    desk.after(20, replace(WARM, temperature=Reading(84.0)))
    urgent = request("u", priority=Priority.URGENT)
    assert refusal(desk.rooms.dispatcher.on(arrived(urgent, 3), desk.now)).error.code == "too_hot"
    desk.after(30, COOL)
    asked = request("later", priority=Priority.BACKGROUND)
    late = desk.rooms.dispatcher.on(arrived(asked, 4), desk.now)
    assert not any(isinstance(effect, SendReply) for effect in late)
    assert desk.problems() == set()
    assert len(desk.lines("problem gone code=too_hot")) == 1


def test_an_owner_may_leave_it_to_the_firmware() -> None:
    desk = Desk(enabled=False)
    desk.after(60, HOT)
    assert desk.sent == []
    assert desk.heat.view.throttle == "none"
    desk.after(5, replace(HOT, throttled=Throttled(0b1100)))
    assert desk.heat.view.throttle == "soft"
    assert not desk.heat.free


@pytest.mark.parametrize(
    ("senses", "code", "kind"),
    [
        (replace(COOL, alarm=Alarm(on=True)), "undervoltage", "under-voltage"),
        (replace(COOL, throttled=Throttled(0b0010)), "firmware_throttles", "firmware throttles"),
    ],
)
def test_what_the_firmware_does_is_a_problem_that_lasts(
    senses: Senses, code: str, kind: str
) -> None:
    desk = Desk()
    for _ in range(10):
        desk.after(2, senses)
        desk.after(2, COOL)
    assert code in desk.problems(), "though it came and went"
    assert len(desk.lines(kind)) == 1, "once a minute"
    desk.after(FIRMWARE_S + 1)
    assert desk.problems() == set()


def test_a_weak_supply_explains_a_capped_clock() -> None:
    desk = Desk()
    desk.after(20, replace(COOL, throttled=Throttled(0b0111)))
    assert desk.problems() == {"undervoltage"}
    assert desk.heat.view.throttle == "undervoltage"


def test_a_sensor_that_is_lost_is_a_problem_after_a_while_and_none_when_it_is_back() -> None:
    desk = Desk()
    desk.after(5)
    desk.after(HOLD_S, BLIND)
    assert desk.problems() == set()
    assert desk.sent == []
    desk.after(30)
    assert desk.problems() == {"sensor_lost"}
    assert desk.heat.view.temp_c is None
    assert desk.sent[-1].idle_share > 0, "a careful pace"
    assert "no such sensor" in desk.lines("problem code=sensor_lost")[0]
    desk.after(120, COOL)
    assert desk.problems() == set()
    assert desk.sent[-1] == frames.Pace(threads=2, threads_batch=2)


def test_a_leap_that_no_silicon_makes_is_not_believed_at_once() -> None:
    desk = Desk()
    desk.after(10)
    desk.after(1, replace(WARM, temperature=Reading(149.0)))
    assert desk.heat.view.temp_c is None
    assert "leapt from 45 to 149" in str(desk.heat.reading)
    desk.after(10, COOL)
    assert desk.sent == []
    assert desk.problems() == set()


def test_a_value_that_stays_through_rest_and_load_is_no_temperature() -> None:
    desk = Desk()
    desk.after(70)
    desk.after(130, busy=False)
    desk.after(30)
    assert desk.heat.view.temp_c is None
    assert desk.problems() == {"sensor_lost"}


def test_a_board_without_a_sensor_is_no_problem() -> None:
    desk = Desk()
    desk.after(60, BLIND)
    assert desk.problems() == set()
    assert desk.sent == []


def test_a_look_that_hangs_is_a_silent_sensor_and_is_not_asked_again() -> None:
    desk = Desk()
    desk.after(5)
    desk.rooms.clock.advance(LOOK_S)
    desk.heat.due(desk.now)
    assert desk.heat.looking(desk.now)
    assert desk.heat.next_at(desk.now) == desk.now + SOON_S
    for _ in range(40):
        desk.rooms.clock.advance(1.0)
        desk.heat.hear(EFFORT, desk.now)
        assert desk.heat.next_at(desk.now) <= desk.now + STUCK_S
        desk.heat.due(desk.now)
        for item in desk.posted:
            desk.heat.hear(item, desk.now)
        desk.posted.clear()
    assert len(desk.thread.work) == 1
    assert desk.problems() == {"sensor_lost"}
    assert desk.sent[-1].idle_share > 0
    desk.answer()
    assert desk.problems() == set()


def test_a_look_that_fails_is_told_and_the_next_one_is_made() -> None:
    desk = Desk()
    desk.senses = RuntimeError("x")
    desk.after(3)
    assert len(desk.lines("mistake in edged")) == 1
    desk.after(1, COOL)
    assert desk.heat.reading == Reading(45.0)


def test_an_idle_cool_board_is_looked_at_as_often_as_a_state_is_due() -> None:
    desk = Desk()
    desk.after(1, busy=False)
    assert desk.heat.next_at(desk.now) == inf
    asked = desk.heat._asked_at
    desk.after(IDLE_S - 2, busy=False)
    assert desk.heat._asked_at == asked
    desk.after(2, busy=False)
    assert desk.heat._asked_at > asked


def test_a_busy_or_a_paced_board_is_looked_at_each_second() -> None:
    desk = Desk()
    desk.after(2)
    assert desk.heat.next_at(desk.now) == desk.now + LOOK_S
    desk.after(20, HOT)
    desk.after(5, busy=False)
    assert desk.heat.next_at(desk.now) == desk.now + LOOK_S
    desk = Desk()
    desk.after(1, busy=False)
    desk.rooms.dispatcher.on(arrived(request("run")), desk.now)
    assert desk.heat.next_at(desk.now) == desk.now + LOOK_S


def test_an_engine_that_says_nothing_does_nothing() -> None:
    desk = Desk()
    desk.after(3)
    assert desk.heat._doing.cores == 1.5
    desk.after(IDLE_S + 2, busy=False)
    assert (desk.heat._doing.cores, desk.heat._doing.decoding) == (0.0, 0)
    assert desk.heat._doing.possible_tps == 20.0


def test_a_new_child_with_other_threads_is_told_the_pace_anew() -> None:
    desk = Desk()
    desk.after(30, HOT)
    desk.heat.hear(died(), desk.now)
    assert desk.heat.view.threads is None
    desk.sent.clear()
    desk.heat.hear(replace(UP, load=replace(UP.load, prefill_chunk=32)), desk.now)
    assert desk.sent[-1].prefill_chunk == 32


def died() -> EngineDied:
    return EngineDied(
        signal="SIGSEGV",
        code=None,
        reason="SIGSEGV",
        message="",
        during="decode",
        runs=(),
        retry_in=1.0,
    )


def test_without_a_model_it_only_looks() -> None:
    desk = Desk(engine=False, up=False)
    desk.after(70, HOT, busy=False)
    assert desk.heat.view.temp_c == 79.5
    assert desk.sent == []


def test_a_model_that_is_held_at_the_target_is_not_slow() -> None:
    desk = Desk()
    for n in range(61):
        desk.rooms.meter.feed(1, desk.now - 30 + n / 2, "a")
    assert desk.heat.sustained(desk.now) == pytest.approx(2.0)
    desk.heat._sent = frames.Pace(threads=1, threads_batch=1, decode_tps=8.5)
    assert desk.heat.sustained(desk.now) == 8.5
    desk.heat._sent = frames.Pace(threads=1, threads_batch=1, decode_tps=5.0)
    assert desk.heat.sustained(desk.now) == pytest.approx(2.0), "below the target it counts"


def test_it_stops_its_thread() -> None:
    desk = Desk()
    desk.heat.stop()
    assert desk.thread.stopped


def test_what_is_of_others_is_ignored() -> None:
    assert Desk().heat.hear(DiskDone(None, None, "selection"), 0.0) == []
