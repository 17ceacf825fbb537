from __future__ import annotations

import msgspec
import pytest

from edged.daemon.reporter import THROUGHPUT_S, Reporter
from edged.engine.events import EngineUp
from edged.engine.frames import Load, Ready
from edged.serving import events
from edged.settings import TelemetryConfig
from edged.telemetry.meter import Outcome
from edged.telemetry.state import HeatView, Info, Limits, ModelView, State
from tests.daemon.rooms import Rooms
from tests.serving.make import arrived, request

LIMITS = Limits(payload_bytes=1, max_tokens=1, capacity=1, per_client=1, reply_prefixes=())
MODEL = ModelView(
    name="pocket", file="p.gguf", bytes=9, architecture="qwen3", context=512, context_train=1024
)
UP = EngineUp(
    ready=Ready(
        n_ctx=512,
        n_ctx_train=1024,
        n_params=5_000_000,
        n_vocab=2048,
        description="qwen3",
        load_ms=1.0,
        selftest_ms=1.0,
        system_info="CPU : AVX2 = 1",
        streams=2,
    ),
    load=Load(path="/p.gguf", threads=2, threads_batch=2),
)


class Desk:
    """A reporter over fake rooms."""

    def __init__(self, *, model: ModelView | None = MODEL, watchdog_s: float | None = None) -> None:
        self.rooms = rooms = Rooms(watchdog_s)
        self.heat = HeatView(temp_c=51.6)
        self.reporter = Reporter(
            dispatcher=rooms.dispatcher,
            health=rooms.health,
            info=Info(node="n", version="1", boot_id="b", model=model, limits=LIMITS),
            journal=rooms.journal,
            meter=rooms.meter,
            notifier=rooms.notifier,
            heat=lambda: self.heat,
            headroom=lambda: 4096,
            session=rooms.session,
            settings=TelemetryConfig(),
            started_at=rooms.clock.monotonic(),
            topics=rooms.topics,
        )

    def after(self, seconds: float) -> None:
        self.rooms.clock.advance(seconds)
        self.reporter.due(self.rooms.clock.monotonic())

    def ready(self) -> None:
        self.reporter.engine_up(UP)
        self.rooms.dispatcher.on(events.EngineReady(variant="pocket", n_ctx=512, streams=1), 0.0)

    @property
    def states(self) -> list[State]:
        sent = self.rooms.fake_session.on(self.rooms.topics.state)
        return [msgspec.json.decode(outgoing.payload, type=State) for outgoing in sent]


def test_ready_is_said_once_when_the_child_answers() -> None:
    desk = Desk()
    desk.after(0)
    assert (desk.states[0].status, desk.states[0].streams) == ("loading", None)
    desk.ready()
    desk.ready()
    assert desk.rooms.fake_notifier.said.count("READY") == 1
    desk.after(2)
    assert desk.states[-1].status == "ready"


def test_loading_keeps_systemd_patient() -> None:
    desk = Desk()
    desk.reporter.loading(40.4)
    assert desk.rooms.fake_notifier.said == ["EXTEND 30", "STATUS loading pocket, 40 %"]


@pytest.mark.parametrize("fatal", [True, False])
def test_only_an_engine_given_up_makes_the_unit_ready(fatal: bool) -> None:
    desk = Desk()
    desk.reporter.engine_died(fatal=fatal)
    assert ("READY" in desk.rooms.fake_notifier.said) is fatal


def test_without_a_model_the_unit_is_up_and_nameless() -> None:
    desk = Desk(model=None)
    desk.reporter.no_model()
    assert desk.reporter.variant == ""
    assert desk.rooms.fake_notifier.said == ["READY"]


def test_announce_publishes_info_and_state_retained() -> None:
    desk = Desk()
    desk.ready()
    desk.after(0)
    (info,) = desk.rooms.fake_session.on(desk.rooms.topics.info)
    decoded = msgspec.json.decode(info.payload, type=Info)
    assert info.retain
    assert decoded.model is not None
    assert decoded.model.parameters == 5_000_000
    assert decoded.threads == (2, 2)
    assert decoded.streams == desk.states[-1].streams == 2
    assert decoded.engine == "CPU : AVX2 = 1"


def test_idle_states_come_once_a_minute() -> None:
    desk = Desk()
    desk.ready()
    desk.after(1)
    count = len(desk.states)
    for _ in range(59):
        desk.after(1)
    assert len(desk.states) == count
    desk.after(1)
    assert len(desk.states) == count + 1


def test_a_change_is_told_but_never_twice_within_a_second() -> None:
    desk = Desk()
    desk.ready()
    desk.after(1)
    desk.rooms.dispatcher.on(events.PauseSet(paused=True), 0.0)
    desk.after(0.5)
    assert desk.states[-1].status == "ready"
    now = desk.rooms.clock.monotonic()
    assert desk.reporter.next_at(now) == now + 1
    desk.after(0.5)
    assert desk.states[-1].status == "paused"
    assert desk.states[-1].paused
    assert desk.states[-1].ram_headroom_mib == 4096
    now = desk.rooms.clock.monotonic()
    assert desk.reporter.next_at(now) == now + 60


def test_it_wakes_when_somebody_has_waited_too_long() -> None:
    desk = Desk()
    now = desk.rooms.clock.monotonic()
    desk.rooms.dispatcher.on(arrived(request("q", expires_in=0.25)), now)
    assert desk.reporter.next_at(now) == now + 0.25
    desk.rooms.dispatcher.on(arrived(request("r", answer_within=60.0), 2), now)
    assert desk.reporter.next_at(now + 0.5) == now + 0.25, "it is late already"
    desk.rooms.dispatcher.on(events.Tick(), now + 0.5)
    assert desk.reporter.next_at(now + 0.5) == now + 1.5


def test_the_watchdog_is_fed_by_the_loop_itself() -> None:
    desk = Desk(watchdog_s=10)
    now = desk.rooms.clock.monotonic()
    assert desk.reporter.next_at(now) <= now + 10
    for _ in range(10):
        desk.after(1)
    assert desk.rooms.fake_notifier.said.count("WATCHDOG") == 2


def test_the_journal_hears_of_throughput_only_after_work() -> None:
    desk = Desk()
    desk.ready()
    desk.after(THROUGHPUT_S)
    assert not [line for line in desk.rooms.lines if "throughput" in line]
    outcome = Outcome(status="ok", ran=True, prompt_tokens=3, completion_tokens=5)
    desk.rooms.meter.finished(outcome, desk.rooms.clock.monotonic())
    desk.after(THROUGHPUT_S)
    (line,) = [line for line in desk.rooms.lines if "throughput" in line]
    assert "completion_tokens=5" in line
    assert "variant=pocket" in line


def test_a_change_of_model_is_told_at_once() -> None:
    desk = Desk()
    desk.ready()
    desk.after(1)
    desk.reporter.changing(msgspec.structs.replace(MODEL, name="other"))
    desk.after(0)
    sent = desk.rooms.fake_session.on(desk.rooms.topics.info)[-1]
    info = msgspec.json.decode(sent.payload, type=Info)
    assert info.model is not None
    assert info.model.name == "other"
    assert desk.reporter.variant == "other"
