from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, cast

import msgspec

from edged.daemon.fleet import NEWS_S, Fleet
from edged.daemon.membership import BACK_S
from edged.serving import events
from edged.thermal.readings import NoReading, Reading
from tests.daemon.rooms import Rooms

if TYPE_CHECKING:
    from edged.daemon.reporter import Reporter
    from edged.telemetry.meter import Meter, Snapshot
    from edged.telemetry.state import Advert

READY = events.EngineReady(variant="pocket", n_ctx=512, streams=1)


class FakeReporter:
    def __init__(self) -> None:
        self.variant = "pocket"
        self.adverts: list[Advert] = []

    def advertise(self, advert: Advert) -> None:
        self.adverts.append(advert)


class FakeMeter:
    def __init__(self, rooms: Rooms) -> None:
        self._real = rooms.meter
        self.rate: float | None = None

    def snapshot(self, now: float) -> Snapshot:
        return msgspec.structs.replace(self._real.snapshot(now), tps_15m=self.rate)


class Desk:
    def __init__(self, *, enabled: bool = True) -> None:
        self.rooms = rooms = Rooms()
        self.reporter = FakeReporter()
        self.meter = FakeMeter(rooms)
        self.reading: Reading | NoReading = NoReading("none")
        self.fleet = Fleet(
            enabled=enabled,
            dispatcher=rooms.dispatcher,
            session=rooms.session,
            meter=cast("Meter", self.meter),
            reporter=cast("Reporter", self.reporter),
            sense=lambda: self.reading,
            hot_c=78.0,
        )

    def join(self) -> None:
        self.rooms.dispatcher.on(READY, 0.0)
        self.fleet.due(0.0)
        self.fleet.due(BACK_S)

    @property
    def reasons(self) -> list[str | None]:
        return [advert.reason for advert in self.reporter.adverts]


def test_where_there_is_no_fleet_nothing_is_joined_and_nothing_told() -> None:
    desk = Desk(enabled=False)
    desk.join()
    assert (desk.rooms.fake_session.shares, desk.reporter.adverts) == ([], [])
    assert desk.fleet.next_at == inf


def test_it_joins_leaves_and_comes_back_and_each_change_is_told() -> None:
    desk = Desk()
    desk.fleet.due(0.0)
    desk.join()
    desk.rooms.dispatcher.on(events.PauseSet(paused=True), 5.0)
    desk.fleet.due(5.0)
    assert desk.rooms.fake_session.shares == [False, False, True, False]
    desk.rooms.dispatcher.on(events.PauseSet(paused=False), 6.0)
    desk.fleet.due(6.0)
    assert desk.fleet.next_at == 6.0 + BACK_S
    desk.fleet.due(6.0 + BACK_S)
    assert desk.fleet.next_at == inf
    assert desk.reasons == ["loading", "cooling_off", None, "paused", "cooling_off", None]
    assert [advert.accepting for advert in desk.reporter.adverts[-2:]] == [False, True]


def test_one_hot_reading_is_enough_to_leave_and_a_sensor_lost_is_none() -> None:
    desk = Desk()
    desk.join()
    for at, reading in ((4.0, Reading(77.9)), (5.0, Reading(78.0)), (6.0, NoReading("gone"))):
        desk.reading = reading
        desk.fleet.due(at)
    assert desk.rooms.fake_session.shares[-3:] == [True, False, False]
    assert desk.reasons[-2:] == ["hot", "cooling_off"]


def test_another_model_and_another_speed_are_told_and_small_changes_are_not() -> None:
    desk = Desk()
    desk.join()
    count = len(desk.reporter.adverts)
    for at, rate in ((1, 8.0), (2, 8.5), (3, 9.0), (4, None)):
        desk.meter.rate = rate
        desk.fleet.due(BACK_S + at * NEWS_S)
        desk.fleet.due(BACK_S + at * NEWS_S + 1.0)
    assert [advert.tps for advert in desk.reporter.adverts[count:]] == [8.0, 9.0, None]
    desk.reporter.variant = "better"
    desk.fleet.due(BACK_S + 5 * NEWS_S)
    assert desk.reporter.adverts[-1].variant == "better"
