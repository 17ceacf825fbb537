"""The panel on the board's pins: a status LED, a pause button, a fan. The only user of gpiozero."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from edged.thermal import debounce, fancurve
from edged.thermal.gpio import NoGpio
from edged.thermal.lamp import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.clock import Clock
    from edged.settings import PanelConfig
    from edged.thermal.lamp import Light

# gpiozero's own: the pulses of a pin are made by software, and each costs two wake-ups.
PULSES_HZ = 100


class Panel:
    """What is wired to the pins; what is not there, or fails, is told once and passed over.

    Args:
        pins: Which pins, as configured.
        clock: To tell a press from a bounce.
        pressed: Called at each press of the button, in a thread of the pin driver.
        tell: Told why a part is not used, in words.
    """

    def __init__(
        self,
        pins: PanelConfig,
        *,
        clock: Clock,
        pressed: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        self._pins = pins
        self._clock = clock
        self._pressed = pressed
        self._tell = tell
        self._parts: dict[str, Any] = {}
        self._factory: Any = None
        self._shown: Light | None = None
        self._step = 0
        self._contact = debounce.Contact()

    def start(self, open_pins: Callable[[], Any | NoGpio], *, firmware_fan: bool) -> None:
        """Takes the pins.

        Args:
            open_pins: Makes gpiozero's pin factory.
            firmware_fan: The firmware drives a fan, so that on a pin is refused.
        """
        found = open_pins()
        if isinstance(found, NoGpio):
            self._tell(f"no pins can be used: {found.reason}")
            return
        self._factory = found
        self._make("LED", self._pins.led_pin, self._make_led)
        self._make("button", self._pins.button_pin, self._make_button)
        if firmware_fan and self._pins.fan_pin is not None:
            self._tell("the fan pin is not used: the firmware drives a fan")
        else:
            self._make("fan", self._pins.fan_pin, self._make_fan)

    @property
    def has_fan(self) -> bool:
        """Whether a fan hangs on `blow`."""
        return "fan" in self._parts

    def show(self, light: Light) -> None:
        """Lets the LED show this from now on."""
        if light is self._shown:
            return
        self._shown = light
        pattern = PATTERNS[light]

        def change(led: Any) -> None:
            if pattern.steady:
                led.on()
                return
            led.blink(
                on_time=pattern.on_s,
                off_time=pattern.off_s,
                fade_in_time=pattern.fade_s,
                fade_out_time=pattern.fade_s,
            )

        self._use("LED", change)

    def blow(self, celsius: float | None) -> None:
        """Lets the fan turn as this temperature needs; None, the sensor lost, is full speed."""
        step = fancurve.step(self._step, celsius)
        if step != self._step:
            self._step = step
            self._use("fan", lambda fan: setattr(fan, "value", fancurve.share(step)))

    def close(self) -> None:
        """Gives the pins back; LED and fan are off then."""
        for name in tuple(self._parts):
            self._use(name, lambda part: part.close())
        self._parts.clear()
        if self._factory is not None:
            with contextlib.suppress(Exception):  # the process ends, and its pins with it
                self._factory.close()
            self._factory = None

    def _make(self, name: str, pin: int | None, make: Callable[[int], Any]) -> None:
        if pin is None:
            return
        try:
            self._parts[name] = make(pin)
        except Exception as error:  # noqa: BLE001 - native drivers raise what they like
            self._tell(f"the {name} on GPIO{pin} is not used: {error}")

    def _make_led(self, pin: int) -> Any:
        from gpiozero import PWMLED  # noqa: PLC0415 - 50 ms and 10 MiB for who has a panel

        return PWMLED(pin=pin, frequency=PULSES_HZ, pin_factory=self._factory)

    def _make_button(self, pin: int) -> Any:
        # Not `Button`: to time long presses, that has a thread which wakes ten times a second.
        from gpiozero import DigitalInputDevice  # noqa: PLC0415 - see _make_led

        button = DigitalInputDevice(pin=pin, pull_up=True, pin_factory=self._factory)
        button.when_activated = lambda: self._edge(closed=True)
        button.when_deactivated = lambda: self._edge(closed=False)
        return button

    def _make_fan(self, pin: int) -> Any:
        from gpiozero import PWMOutputDevice  # noqa: PLC0415 - see _make_led

        # Full speed until a temperature is known.
        self._step = fancurve.FULL
        return PWMOutputDevice(
            pin=pin, frequency=PULSES_HZ, initial_value=1.0, pin_factory=self._factory
        )

    def _edge(self, *, closed: bool) -> None:
        self._contact = debounce.edge(self._contact, self._clock.monotonic(), closed=closed)
        if self._contact.pressed:
            self._pressed()

    def _use(self, name: str, act: Callable[[Any], None]) -> None:
        part = self._parts.get(name)
        if part is None:
            return
        try:
            act(part)
        except Exception as error:  # noqa: BLE001 - native drivers raise what they like
            del self._parts[name]
            self._tell(f"the {name} is not used any more: {error}")
