from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from edged.config import Loaded
from edged.daemon.errand import DiskDone
from edged.daemon.handling import Handling
from edged.daemon.items import ConfigRead, DrainOver, HouseUp, Pressed, Stop, Tick
from edged.daemon.notes import Notes
from edged.daemon.reload import Reloader
from edged.daemon.twin import PATIENCE_S, RECHECK_S
from edged.engine import frames
from edged.engine.events import EngineDied, LostRun
from edged.engine.lifecycle import State
from edged.mqtt import packet
from edged.mqtt.packet import Incoming
from edged.mqtt.topics import Topics
from edged.serving import effects
from edged.serving.message import Rules
from edged.settings import Config, EngineConfig, ServingConfig, SessionsConfig
from tests.daemon.test_reporter import UP
from tests.daemon.test_reporter import Desk as ReporterDesk

if TYPE_CHECKING:
    from edged.daemon.heat import Heat
    from edged.daemon.house import House
    from edged.daemon.prefixes import PrefixKeeper
    from edged.daemon.selection import Selection


class Keeper:
    """Hears what is about prefixes."""

    def __init__(self, error: Exception | None = None) -> None:
        self.heard: list[object] = []
        self.forgotten = 0
        self._error = error

    def forget(self, now: float) -> None:
        del now
        self.forgotten += 1

    def hear(self, item: object, now: float) -> None:
        del now
        self.heard.append(item)
        if self._error is not None:
            raise self._error


class Known:
    """Home Assistant, as far as it is told anything."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def announce(self, now: float) -> None:
        del now
        self.told.append("everything")

    def born(self, payload: bytes) -> None:
        self.told.append(payload)

    def hear(self, event: DiskDone) -> None:
        self.told.append(event)

    def denied(self, topic: str, reason: str, now: float) -> None:
        del now
        self.told.append((topic, reason))


class Chooser:
    """Chooses nothing, and remembers what rate was asked for."""

    def __init__(self) -> None:
        self.targets: list[float] = []
        self.changing = False
        self.heard: list[object] = []

    def hear(self, item: object, _now: float) -> list[effects.Effect]:
        self.heard.append(item)
        return []

    def retarget(self, target_tps: float) -> None:
        self.targets.append(target_tps)


class Desk(ReporterDesk):
    """A handling over fake rooms."""

    def __init__(
        self,
        keeper: Keeper | None = None,
        known: Known | None = None,
        chooser: Chooser | None = None,
    ) -> None:
        super().__init__()
        self.felt: list[tuple[object, float]] = []
        self.rooms.topics = Topics("n", house="homeassistant")
        rooms = self.rooms
        self.notes = Notes(rooms.journal, rooms.meter, rooms.health, rooms.sense)
        self.reloader = Reloader(
            Config(),
            lambda: Loaded(Config()),
            journal=rooms.journal,
            reporter=self.reporter,
            post=lambda _item: None,
        )
        self.handling = Handling(
            dispatcher=rooms.dispatcher,
            engine=rooms.engine,
            session=rooms.session,
            topics=rooms.topics,
            rules=Rules(64, 512, rooms.topics.may_reply_to),
            notes=self.notes,
            meter=rooms.meter,
            reporter=self.reporter,
            heat=cast("Heat", self),
            broker="b:1883",
            boot_id="b",
            prefixes=None if keeper is None else cast("PrefixKeeper", keeper),
            known_to=None if known is None else cast("House", known),
            selection=None if chooser is None else cast("Selection", chooser),
            reloader=self.reloader,
        )

    def hear(self, item: object, now: float) -> list[effects.Effect]:
        """The part of the room that keeps the board cool."""
        self.felt.append((item, now))
        return []

    def take(self, item: object) -> list[effects.Effect]:
        return self.handling.take(item, self.rooms.clock.monotonic())

    def message(self, topic: str, payload: bytes = b"x", **fields: Any) -> list[effects.Effect]:
        base: dict[str, Any] = {"qos": 1, "retain": False, "dup": False, "mid": 7, "connection": 1}
        return self.take(Incoming(topic=topic, payload=payload, **{**base, **fields}))

    def result(self, verb: str) -> dict[str, Any]:
        sent = self.rooms.fake_session.on(f"edged/n/command/{verb}/result")
        decoded: dict[str, Any] = json.loads(sent[-1].payload)
        return decoded


def kinds(batch: list[effects.Effect]) -> list[str]:
    return [type(effect).__name__ for effect in batch]


def test_a_prompt_is_accepted_and_started_by_a_ready_engine() -> None:
    desk = Desk()
    desk.take(UP)
    batch = desk.message("edged/n/request", b"hello")
    assert kinds(batch)[:2] == ["Accept", "Acknowledge"]
    assert "Submit" in kinds(batch)


def test_a_child_that_came_up_to_be_replaced_starts_nothing_and_is_not_told() -> None:
    chooser = Chooser()
    desk = Desk(chooser=chooser)
    chooser.changing = True
    desk.take(UP)
    assert (desk.rooms.lines, desk.felt, chooser.heard) == ([], [], [])
    assert "Submit" not in kinds(desk.message("edged/n/request", b"hello"))
    chooser.changing = False
    assert "Submit" in kinds(desk.take(UP))
    assert chooser.heard == [UP]


@pytest.mark.parametrize("topic", ["edged/n/request", "edged/n/command/pause"])
def test_what_is_retained_is_ignored_with_a_warning(topic: str) -> None:
    desk = Desk()
    assert desk.message(topic, retain=True) == []
    assert desk.rooms.fake_session.acknowledged == [(1, 7)]
    assert "retained" in desk.rooms.lines[0]
    assert not desk.rooms.dispatcher.snapshot(0.0).paused


def test_a_topic_that_is_not_ours_is_only_acknowledged() -> None:
    desk = Desk()
    assert desk.message("somewhere/else") == []
    assert desk.rooms.fake_session.acknowledged == [(1, 7)]
    assert desk.rooms.lines == []


def test_qos_0_is_never_acknowledged() -> None:
    desk = Desk()
    desk.message("edged/n/cancel", b"a1", qos=0, mid=0)
    assert desk.rooms.fake_session.acknowledged == []


def test_a_cancel_of_a_waiting_prompt_answers_it() -> None:
    desk = Desk()
    desk.message("edged/n/request", b'{"id": "a1", "prompt": "x"}')
    batch = desk.message("edged/n/cancel", b"a1")
    (reply,) = [effect for effect in batch if isinstance(effect, effects.SendReply)]
    assert json.loads(reply.payload)["status"] == "cancelled"


def test_pause_and_resume_are_done_and_answered() -> None:
    desk = Desk()
    desk.message("edged/n/command/pause")
    assert desk.rooms.dispatcher.snapshot(0.0).paused
    assert desk.result("pause") == {"verb": "pause", "status": "ok"}
    desk.message("edged/n/command/resume")
    assert not desk.rooms.dispatcher.snapshot(0.0).paused


def test_a_switch_pauses_and_resumes_too() -> None:
    desk = Desk()
    desk.message("edged/n/command/accept", b"OFF")
    assert desk.rooms.dispatcher.snapshot(0.0).paused
    desk.message("edged/n/command/accept", b"maybe")
    assert desk.rooms.dispatcher.snapshot(0.0).paused
    assert desk.result("accept")["error"] == "the payload must be ON or OFF"
    desk.message("edged/n/command/accept", b"ON")
    assert not desk.rooms.dispatcher.snapshot(0.0).paused


def test_what_was_read_for_requests_is_forgotten_when_asked() -> None:
    keeper = Keeper()
    desk = Desk(keeper)
    desk.message("edged/n/command/forget", b"a-session")
    assert keeper.forgotten == 0
    desk.message("edged/n/command/forget", b"")
    assert desk.result("forget") == {"verb": "forget", "status": "ok", "sessions": 0}
    assert keeper.forgotten == 1


def test_resume_forgives_an_engine_that_was_given_up() -> None:
    desk = Desk()
    desk.rooms.fake_engine.state = State.FATAL
    desk.message("edged/n/command/resume")
    assert desk.rooms.fake_engine.calls == [("rearm", None)]


def test_a_press_of_the_button_pauses_and_the_next_one_resumes() -> None:
    desk = Desk()
    desk.take(UP)
    assert desk.take(Pressed()) == []
    assert desk.rooms.dispatcher.snapshot(0.0).paused
    (refusal,) = [
        effect
        for effect in desk.message("edged/n/request", b"hello")
        if isinstance(effect, effects.SendReply)
    ]
    assert json.loads(refusal.payload)["error"]["code"] == "paused"
    desk.rooms.fake_engine.state = State.FATAL
    desk.take(Pressed())
    assert not desk.rooms.dispatcher.snapshot(0.0).paused
    assert ("rearm", None) in desk.rooms.fake_engine.calls
    said = [line for line in desk.rooms.lines if "button" in line]
    assert said == [
        "NOTICE button pressed reason=paused",
        "NOTICE button pressed reason=resumed",
    ]


def test_an_unknown_command_is_answered_with_the_known_ones() -> None:
    desk = Desk()
    desk.message("edged/n/command/fly")
    known = "accept, announce, forget, pause, resume"
    assert desk.result("fly")["error"] == f"unknown command; known are {known}"


def test_a_connection_publishes_everything_retained() -> None:
    desk = Desk()
    desk.take(packet.Disconnected(code="dns", reason="no name", retry_in_s=1.0))
    assert desk.rooms.health.active("broker_unreachable")
    desk.take(packet.Connected(connection=1, session_present=False))
    desk.after(0)
    assert desk.rooms.fake_session.on(desk.rooms.topics.info)
    assert not desk.rooms.health.active("broker_unreachable")


def test_home_assistant_is_told_when_it_was_born_and_when_we_are_connected() -> None:
    known = Known()
    desk = Desk(known=known)
    desk.take(packet.Connected(connection=1, session_present=False))
    desk.message("homeassistant/status", b"online", qos=0)
    desk.message("homeassistant/status", b"online", retain=True, qos=0)
    done = DiskDone(None, None, "house")
    desk.take(done)
    topic = desk.rooms.topics.device_config
    desk.take(packet.Refused(topic=topic, reason="not authorised"))
    assert known.told == ["everything", b"online", done, (topic, "not authorised")]
    assert not desk.rooms.health.active("publish_refused")
    desk.take(HouseUp())
    desk.after(0)
    assert known.told[4:] == ["everything"]
    assert desk.rooms.fake_session.on(desk.rooms.topics.state)
    assert not [line for line in desk.rooms.lines if "retained" in line]


def contested(desk: Desk) -> tuple[bool, bool]:
    """Whether a twin is told, and our session left to it for a while."""
    return desk.rooms.health.active("name_taken"), desk.rooms.fake_session.contested


def test_another_edged_of_our_name_is_told_and_answered() -> None:
    desk = Desk()
    desk.take(packet.Connected(connection=1, session_present=False))
    desk.message("edged/n/info", b'{"boot_id": "z"}', retain=True, qos=0)
    desk.message("edged/n/info", b'{"boot_id": "b"}', qos=0)
    assert contested(desk) == (False, False)
    desk.after(0)
    said = len(desk.rooms.fake_session.on(desk.rooms.topics.info))
    desk.message("edged/n/info", b'{"boot_id": "z"}', qos=0)
    assert contested(desk) == (True, True)
    desk.after(0)
    assert len(desk.rooms.fake_session.on(desk.rooms.topics.info)) == said + 1
    desk.rooms.clock.advance(RECHECK_S + PATIENCE_S)
    desk.take(Tick())
    assert contested(desk) == (False, False)
    desk.take(packet.Disconnected(code="session_taken_over", reason="r", retry_in_s=40.0))
    assert contested(desk) == (True, True)
    assert not [line for line in desk.rooms.lines if "retained" in line]


def test_without_home_assistant_a_birth_is_nothing() -> None:
    desk = Desk()
    assert desk.message("homeassistant/status", b"online", qos=0) == []
    assert desk.take(DiskDone(None, None, "house")) == []


def test_the_brokers_rules_become_problems() -> None:
    desk = Desk()
    desk.take(packet.Refused(topic="edged/n/request", reason="not authorised"))
    desk.take(packet.Refused(topic="edged/n/state", reason="not authorised"))
    assert desk.rooms.health.active("subscribe_refused")
    assert desk.rooms.health.active("publish_refused")
    desk.take(packet.Granted(topic="edged/n/request"))
    assert not desk.rooms.health.active("subscribe_refused")


def test_a_reply_that_the_broker_will_never_take_is_settled_all_the_same() -> None:
    desk = Desk()
    desk.take(packet.Refused(topic="edged/n/reply/k", reason="not authorised"))
    desk.take(packet.Taken(tag="k", refused="not authorised"))
    assert desk.rooms.health.active("publish_refused")
    desk.take(packet.Taken(tag="l"))
    assert not desk.rooms.health.active("publish_refused")


def run_one(desk: Desk) -> str:
    desk.take(UP)
    batch = desk.message("edged/n/request", b'{"id": "a1", "prompt": "x"}')
    (submit,) = [effect for effect in batch if isinstance(effect, effects.Submit)]
    return submit.request.key


def test_frames_flow_to_stream_meter_and_reply() -> None:
    desk = Desk()
    key = run_one(desk)
    desk.take(frames.Prefill(key=key, done=3, total=3))
    desk.take(frames.Delta(key=key, text="It ", tokens=1))
    desk.rooms.clock.advance(1.0)
    desk.take(frames.Delta(key=key, text="is.", tokens=2))
    assert desk.rooms.meter.snapshot(desk.rooms.clock.monotonic()).tps == pytest.approx(2.0)
    done = frames.Done(
        key=key,
        finish_reason="stop",
        prompt_tokens=3,
        cached_tokens=0,
        completion_tokens=3,
        prompt_ms=3.0,
        predicted_ms=1000.0,
        ttft_ms=3.0,
    )
    (reply,) = [e for e in desk.take(done) if isinstance(e, effects.SendReply)]
    assert json.loads(reply.payload)["text"] == "It is."


DIED = EngineDied(
    signal="SIGSEGV",
    code=None,
    reason="SIGSEGV",
    message="",
    during="idle",
    runs=(),
    retry_in=1.0,
)


def test_a_death_answers_the_request_in_hand() -> None:
    desk = Desk()
    key = run_one(desk)
    lost = LostRun(key=key, during="decode", tokens_done=0)
    died = msgspec.structs.replace(DIED, during="decode", runs=(lost,))
    (reply,) = [e for e in desk.take(died) if isinstance(e, effects.SendReply)]
    assert json.loads(reply.payload)["error"]["code"] == "engine_died"


def test_as_many_run_as_the_child_has_streams_and_a_death_names_them() -> None:
    desk = Desk()
    desk.take(UP)
    batches = [
        desk.message("edged/n/request", b'{"id": "%s", "prompt": "x"}' % name, mid=mid)
        for mid, name in enumerate((b"a", b"b", b"c"))
    ]
    submits = [e for batch in batches for e in batch if isinstance(e, effects.Submit)]
    keys = [submit.request.key for submit in submits]
    assert len(keys) == UP.ready.streams == 2
    lost = tuple(LostRun(key=key, during="decode", tokens_done=1) for key in keys)
    batch = desk.take(msgspec.structs.replace(DIED, during="decode", runs=lost))
    assert [e.key for e in batch if isinstance(e, effects.MarkWaiting)] == keys
    assert not [e for e in batch if isinstance(e, effects.SendReply)]


def test_the_rate_goes_on_when_one_of_two_ends() -> None:
    desk = Desk()
    desk.take(UP)
    for mid, name in enumerate((b"a", b"b")):
        desk.message("edged/n/request", b'{"id": "%s", "prompt": "x"}' % name, mid=mid)
    keys = [job.request.key for job in desk.rooms.dispatcher._state.jobs]
    for _ in range(3):
        desk.rooms.clock.advance(0.5)
        for key in keys:
            desk.take(frames.Delta(key=key, text="a", tokens=1))
    now = desk.rooms.clock.monotonic()
    for effect in desk.take(frames.Failed(key=keys[0], code="c", message="m")):
        if isinstance(effect, effects.Finished):
            desk.notes.finished(effect, now)
    assert desk.rooms.meter.snapshot(now).tps == pytest.approx(5.0)


def test_effort_tells_the_meter_what_could_be() -> None:
    desk = Desk()
    desk.take(frames.Delta(key=run_one(desk), text="a", tokens=1))
    effort = frames.Effort(
        wall_ms=1000.0,
        busy_ms=500.0,
        core_ms=2000.0,
        decode_ms=400.0,
        decodes=4,
        tokens=8,
        decoding=2,
        threads=4,
    )
    assert desk.take(effort) == []
    assert desk.rooms.meter.snapshot(desk.rooms.clock.monotonic()).possible_tps == 20.0


def test_loading_and_ticks_decide_nothing() -> None:
    desk = Desk()
    assert desk.take(frames.Loading(percent=10.0)) == []
    assert desk.take(Tick()) == []


def test_a_stop_drains_and_its_end_gives_the_running_one_back() -> None:
    desk = Desk()
    run_one(desk)
    desk.take(Stop())
    assert desk.rooms.dispatcher.snapshot(0.0).draining
    assert "MarkWaiting" in kinds(desk.take(DrainOver()))
    assert desk.rooms.dispatcher.snapshot(0.0).running == 0


ERRANDS = [
    frames.Prefill(key="prefix/a", done=1, total=2),
    frames.Learned(key="prefix/a", tokens=2, cached=0, state_bytes=9, read_ms=1.0),
    frames.Saved(key="prefix/a", size=9),
    frames.Failed(key="prefix/a", code="no_room", message=""),
    DiskDone(None, None),
]


def test_what_is_about_errands_is_heard_by_their_keeper_alone() -> None:
    keeper = Keeper()
    desk = Desk(keeper)
    desk.take(UP)
    for item in ERRANDS:
        assert desk.take(item) == []
    desk.take(Tick())
    desk.take(DIED)
    assert keeper.heard == [UP, *ERRANDS, Tick(), DIED]
    run_one(desk)
    assert len(keeper.heard) == len(ERRANDS) + 4  # the child that came back


def test_without_a_keeper_it_is_nobodys_business() -> None:
    desk = Desk()
    assert [desk.take(item) for item in ERRANDS] == [[]] * len(ERRANDS)


def test_a_mistake_of_the_keeper_costs_no_answer() -> None:
    desk = Desk(Keeper(ValueError("a secret prompt")))
    key = run_one(desk)
    died = msgspec.structs.replace(
        DIED, runs=(LostRun(key=key, during="decode", tokens_done=0),), during="decode"
    )
    assert "SendReply" in kinds(desk.take(died))
    assert any("prefixes" in line for line in desk.rooms.lines)
    assert "secret" not in "".join(desk.rooms.lines)


def test_a_configuration_read_again_changes_limits_and_what_info_says() -> None:
    desk = Desk()
    desk.take(UP)
    serving = ServingConfig(capacity=1, per_client=1, max_tokens_limit=300)
    desk.take(ConfigRead(Config(serving=serving)))
    desk.after(0)
    info = json.loads(desk.rooms.fake_session.on("edged/n/info")[-1].payload)
    assert (info["limits"]["capacity"], info["limits"]["max_tokens"]) == (1, 300)
    assert "Accept" not in kinds(
        desk.message("edged/n/request", b'{"prompt":"p","max_tokens":301}')
    )


def test_a_configuration_read_again_bounds_sessions_from_then_on() -> None:
    desk = Desk()
    desk.take(ConfigRead(Config(sessions=SessionsConfig(capacity=1))))
    assert desk.rooms.dispatcher._state.conversations.bounds.capacity == 1


def test_the_target_of_the_file_is_asked_for_when_the_file_changes_it() -> None:
    chooser = Chooser()
    desk = Desk(chooser=chooser)
    desk.take(ConfigRead(Config(node="other")))
    assert chooser.targets == []
    desk.take(ConfigRead(Config(engine=EngineConfig(target_tps=12))))
    assert chooser.targets == [12]


def test_how_the_house_is_is_told_to_who_decides() -> None:
    assert Desk().take(packet.Settled(connection=1)) == []
