"""The panel on gpiozero's own mock pins."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

from edged.settings import PanelConfig
from edged.thermal.gpio import NoGpio
from edged.thermal.lamp import Light
from edged.thermal.panel import Panel
from tests.rig.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LED, BUTTON, FAN = 17, 27, 18
ALL = PanelConfig(led_pin=LED, button_pin=BUTTON, fan_pin=FAN)
DEADLINE_S = 20.0


class Bench:
    """A panel, its pins, and what it said."""

    def __init__(self, pins: PanelConfig = ALL, *, firmware_fan: bool = False) -> None:
        self.clock = FakeClock()
        self.told: list[str] = []
        self.presses = 0
        self.factory = MockFactory(pin_class=MockPWMPin)
        self.panel = Panel(pins, clock=self.clock, pressed=self._press, tell=self.told.append)
        self.panel.start(lambda: self.factory, firmware_fan=firmware_fan)

    def _press(self) -> None:
        self.presses += 1

    def pin(self, number: int) -> Any:
        return self.factory.pin(number)

    def push(self, held_s: float = 0.2) -> None:
        """Closes the contact, and opens it, with a bounce at either end."""
        pin = self.pin(BUTTON)
        for pause, act in (
            (1.0, pin.drive_low),
            (0.001, pin.drive_high),
            (0.002, pin.drive_low),
            (held_s, pin.drive_high),
            (0.001, pin.drive_low),
            (0.001, pin.drive_high),
        ):
            self.clock.advance(pause)
            act()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.panel.close()


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_lamp_starts_dark_and_is_steady_when_busy(bench: Bench) -> None:
    assert bench.pin(LED).state == 0.0
    bench.panel.show(Light.BUSY)
    assert bench.pin(LED).state == 1.0
    assert not blinkers()


def blinkers() -> list[threading.Thread]:
    """Threads that gpiozero has for patterns."""
    return [thread for thread in threading.enumerate() if "_blink_device" in repr(thread.name)]


@pytest.mark.parametrize("shown", [Light.PROBLEM, Light.PAUSED, Light.THROTTLED])
def test_a_blinking_lamp_is_fully_on_or_off(bench: Bench, shown: Light) -> None:
    bench.panel.show(shown)
    wait_for(lambda: len(bench.pin(LED).states) > 2)
    assert {state.state for state in bench.pin(LED).states} == {0.0, 1.0}


def test_breathing_goes_through_the_shades(bench: Bench) -> None:
    bench.panel.show(Light.IDLE)
    wait_for(lambda: len({state.state for state in bench.pin(LED).states}) > 5)
    bench.panel.show(Light.BUSY)
    assert bench.pin(LED).state == 1.0


def test_the_same_again_does_not_start_the_pattern_anew(bench: Bench) -> None:
    bench.panel.show(Light.BUSY)
    bench.pin(LED).clear_states()
    bench.panel.show(Light.BUSY)
    assert len(bench.pin(LED).states) == 1


def test_each_push_is_one_press(bench: Bench) -> None:
    bench.push()
    assert bench.presses == 1
    bench.push(held_s=3.0)
    assert bench.presses == 2


def test_the_button_needs_no_thread_and_no_long_press(bench: Bench) -> None:
    before = threading.active_count()
    bench.push()
    assert threading.active_count() == before


def test_the_fan_turns_fully_until_a_temperature_is_known_and_when_it_is_lost(
    bench: Bench,
) -> None:
    assert bench.panel.has_fan
    speeds = [bench.pin(FAN).state]
    for celsius in (None, 40.0, 55.0, 80.0, None, 71.0, 20.0):
        bench.panel.blow(celsius)
        speeds.append(bench.pin(FAN).state)
    assert speeds == [1.0, 1.0, 0.0, 0.3, 1.0, 1.0, 1.0, 0.0]


def test_a_fan_pin_is_refused_where_the_firmware_has_a_fan() -> None:
    bench = Bench(firmware_fan=True)
    assert bench.told == ["the fan pin is not used: the firmware drives a fan"]
    assert not bench.panel.has_fan
    bench.panel.blow(90.0)
    assert bench.pin(FAN).function == "input"
    bench.panel.close()


def test_what_is_not_configured_is_not_touched() -> None:
    bench = Bench(PanelConfig(led_pin=LED), firmware_fan=True)
    assert bench.told == []
    assert len(bench.factory.pins) == 1
    bench.panel.show(Light.BUSY)
    bench.panel.close()
    assert bench.told == []


def test_without_pins_one_line_says_why() -> None:
    told: list[str] = []
    panel = Panel(ALL, clock=FakeClock(), pressed=lambda: None, tell=told.append)
    panel.start(lambda: NoGpio("lgpio: can not open gpiochip"), firmware_fan=False)
    panel.show(Light.BUSY)
    panel.blow(None)
    panel.close()
    assert told == ["no pins can be used: lgpio: can not open gpiochip"]


def test_one_part_that_cannot_be_had_leaves_the_others() -> None:
    bench = Bench(PanelConfig(led_pin=LED, button_pin=LED, fan_pin=FAN))
    (reason,) = bench.told
    assert reason.startswith(f"the button on GPIO{LED} is not used: ")
    bench.panel.show(Light.BUSY)
    assert bench.pin(LED).state == 1.0
    assert bench.panel.has_fan
    bench.panel.close()


def test_a_part_that_fails_later_is_told_once_and_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MockPWMPin, "_set_state", failing)
    for celsius in (20.0, 90.0, 20.0):
        bench.panel.blow(celsius)
    assert bench.told == ["the fan is not used any more: bus error"]
    assert not bench.panel.has_fan
    monkeypatch.undo()


def failing(pin: Any, value: float) -> None:
    del pin, value
    message = "bus error"
    raise OSError(message)


def test_closing_gives_the_pins_back_and_ends_the_threads(bench: Bench) -> None:
    bench.panel.show(Light.IDLE)
    assert len(blinkers()) == 1
    bench.panel.close()
    bench.panel.close()
    assert bench.factory.pins == {}
    assert bench.told == []
    assert not blinkers()
