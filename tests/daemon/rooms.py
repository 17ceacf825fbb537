"""Rooms that only remember what they were asked to do."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, cast

from edged.engine.lifecycle import State
from edged.health import Health
from edged.mqtt.topics import Topics
from edged.serving.dispatcher import Dispatcher
from edged.serving.state import Settings
from edged.telemetry.journal import Journal
from edged.telemetry.meter import Meter
from edged.thermal.sensor import Reading
from tests.rig.clock import FakeClock

if TYPE_CHECKING:
    from edged.engine.supervisor import Supervisor
    from edged.mqtt.packet import Outgoing
    from edged.mqtt.session import Session
    from edged.telemetry.notify import Notifier


class FakeSession:
    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.acknowledged: list[tuple[int, int]] = []
        self.contested = False
        self.shares: list[bool] = []

    def publish(self, outgoing: Outgoing) -> None:
        self.sent.append(outgoing)

    def share(self, *, on: bool) -> None:
        self.shares.append(on)

    def acknowledge(self, connection: int, mid: int) -> None:
        self.acknowledged.append((connection, mid))

    def on(self, topic: str) -> list[Outgoing]:
        return [outgoing for outgoing in self.sent if outgoing.topic == topic]


class FakeEngine:
    def __init__(self) -> None:
        self.state = State.READY
        self.calls: list[tuple[str, Any]] = []
        self.broken: Exception | None = None

    def submit(self, generate: Any) -> None:
        if self.broken is not None:
            raise self.broken
        self.calls.append(("submit", generate))

    def cancel(self, key: str) -> None:
        self.calls.append(("cancel", key))

    def rearm(self) -> None:
        self.calls.append(("rearm", None))


class FakeNotifier:
    def __init__(self, watchdog_s: float | None = None) -> None:
        self.said: list[str] = []
        self.watchdog_interval_s = watchdog_s

    def ready(self, status: str = "") -> bool:
        self.said.append(f"READY {status}".strip())
        return True

    def reloading(self) -> bool:
        self.said.append("RELOADING")
        return True

    def status(self, text: str) -> bool:
        self.said.append(f"STATUS {text}")
        return True

    def watchdog(self) -> bool:
        self.said.append("WATCHDOG")
        return True

    def extend_timeout(self, seconds: float) -> bool:
        self.said.append(f"EXTEND {seconds:g}")
        return True


class Rooms:
    """One of each, the real ones where they are pure."""

    def __init__(self, watchdog_s: float | None = None) -> None:
        self.clock = FakeClock()
        self.log = io.StringIO()
        self.journal = Journal(self.clock, "debug", self.log)
        self.health = Health()
        self.meter = Meter()
        self.topics = Topics("n")
        self.dispatcher = Dispatcher(Settings())
        self.fake_session = FakeSession()
        self.fake_engine = FakeEngine()
        self.fake_notifier = FakeNotifier(watchdog_s)

    def sense(self) -> Reading:
        return Reading(51.6)

    @property
    def session(self) -> Session:
        return cast("Session", self.fake_session)

    @property
    def engine(self) -> Supervisor:
        return cast("Supervisor", self.fake_engine)

    @property
    def notifier(self) -> Notifier:
        return cast("Notifier", self.fake_notifier)

    @property
    def lines(self) -> list[str]:
        return self.log.getvalue().splitlines()
