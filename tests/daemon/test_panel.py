from __future__ import annotations

import asyncio
import math
import threading
from typing import TYPE_CHECKING, Any

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

from edged.daemon.items import Pressed
from edged.daemon.panel import FAN_S, LAMP_S, PanelKeeper
from edged.serving import events
from edged.settings import PanelConfig
from edged.thermal.gpio import NoGpio
from edged.thermal.sensor import NoReading, Reading
from tests.daemon.rooms import Rooms

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = PanelConfig(led_pin=17, button_pin=27, fan_pin=18)


class Desk:
    """A keeper over fake rooms and mock pins."""

    def __init__(self, pins: PanelConfig = ALL) -> None:
        self.rooms = rooms = Rooms()
        self.reading: Reading | NoReading = Reading(40.0)
        self.free = True
        self.posted: list[object] = []
        self.factory = MockFactory(pin_class=MockPWMPin)
        self.opened = 0
        self.keeper = PanelKeeper(
            pins,
            dispatcher=rooms.dispatcher,
            health=rooms.health,
            journal=rooms.journal,
            clock=rooms.clock,
            sense=lambda: self.reading,
            free=lambda: self.free,
            post=self.posted.append,
        )

    def pins(self) -> MockFactory:
        self.opened += 1
        return self.factory

    def state(self, number: int) -> Any:
        return self.factory.pin(number).state

    def after(self, seconds: float) -> None:
        self.rooms.clock.advance(seconds)
        self.keeper.due(self.rooms.clock.monotonic())

    def ready(self) -> None:
        self.rooms.dispatcher.on(events.EngineReady(variant="pocket", n_ctx=512, streams=1), 0.0)


def in_loop(act: Callable[[Desk], None], desk: Desk | None = None) -> Desk:
    """The keeper's life in an event loop: start, what a test does, stop."""
    desk = desk or Desk()

    async def life() -> None:
        desk.keeper.start(desk.pins, lambda: False)
        try:
            act(desk)
            await asyncio.sleep(0)  # what was posted from other threads
        finally:
            desk.keeper.stop()

    asyncio.run(life())
    return desk


def test_the_lamp_is_steady_while_loading_and_breathes_when_ready() -> None:
    def act(desk: Desk) -> None:
        desk.after(1)
        assert desk.state(17) == 1.0
        desk.ready()
        desk.after(1)
        desk.rooms.health.raise_("engine_fatal", 0.0)
        desk.after(1)
        # Steady again only if the problem is gone and the engine away.
        desk.rooms.health.clear("engine_fatal")
        desk.rooms.dispatcher.on(events.EngineLost(reason="died", retry_in=1.0), 0.0)
        desk.after(1)
        assert desk.state(17) == 1.0

    in_loop(act)


@pytest.mark.parametrize(
    ("code", "broken"), [("engine_fatal", True), ("prefixes_not_saved", False)]
)
def test_problems_reach_the_lamp_by_their_severity(code: str, broken: bool) -> None:
    desk = Desk()
    desk.rooms.health.raise_(code, 0.0)
    glance = desk.keeper._glance(100.0)
    assert (glance.broken, glance.worse) == (broken, not broken)


def test_a_pause_reaches_the_lamp() -> None:
    desk = Desk()
    desk.ready()
    assert not desk.keeper._glance(0.0).paused
    desk.rooms.dispatcher.on(events.PauseSet(paused=True), 0.0)
    assert desk.keeper._glance(0.0).paused


def test_heat_reaches_the_lamp() -> None:
    desk = Desk()
    assert not desk.keeper._glance(0.0).throttled
    desk.free = False
    assert desk.keeper._glance(0.0).throttled


def test_the_lamp_is_looked_after_at_most_four_times_a_second_and_nothing_is_left_unshown() -> None:
    def act(desk: Desk) -> None:
        desk.after(1)
        desk.ready()
        assert desk.keeper.next_at() == desk.rooms.clock.monotonic() + FAN_S
        desk.after(LAMP_S / 2)
        assert desk.state(17) == 1.0
        assert desk.keeper.next_at() == pytest.approx(desk.rooms.clock.monotonic() + LAMP_S / 2)
        desk.after(LAMP_S / 2)
        assert desk.keeper.next_at() > desk.rooms.clock.monotonic() + LAMP_S

    in_loop(act)


def test_the_fan_follows_the_sensor_and_turns_fully_without_one() -> None:
    def act(desk: Desk) -> None:
        speeds = [desk.state(18)]
        for reading in (Reading(40.0), Reading(62.0), NoReading("gone"), Reading(30.0)):
            desk.reading = reading
            desk.after(FAN_S)
            speeds.append(desk.state(18))
        assert speeds == [1.0, 0.0, 0.5, 1.0, 0.0]
        desk.reading = Reading(90.0)
        desk.after(FAN_S / 2)
        assert desk.state(18) == 0.0
        assert desk.keeper.next_at() == pytest.approx(desk.rooms.clock.monotonic() + FAN_S / 2)

    in_loop(act)


def test_a_press_comes_into_the_inbox_from_the_drivers_thread() -> None:
    def act(desk: Desk) -> None:
        thread = threading.Thread(target=desk.factory.pin(27).drive_low)
        thread.start()
        thread.join()
        assert desk.posted == []

    desk = in_loop(act)
    assert desk.posted == [Pressed()]


def test_a_press_after_the_end_is_nothing() -> None:
    desk = Desk()
    desk.keeper._press()
    in_loop(lambda _: None, desk)
    desk.keeper._press()
    assert desk.posted == []


def test_without_a_panel_no_pin_is_looked_for_and_nobody_is_woken() -> None:
    desk = in_loop(lambda desk: desk.after(1), Desk(PanelConfig()))
    assert desk.opened == 0
    assert desk.keeper.next_at() == math.inf
    assert desk.rooms.lines == []


def test_pins_that_cannot_be_used_are_one_line_in_the_journal() -> None:
    desk = Desk()

    async def life() -> None:
        desk.keeper.start(lambda: NoGpio("no permission"), lambda: True)
        for _ in range(3):
            desk.after(FAN_S)
        desk.keeper.stop()

    asyncio.run(life())
    (line,) = desk.rooms.lines
    assert line.startswith("NOTICE panel not in use")
    assert "no permission" in line
    assert desk.keeper.next_at() == math.inf
