"""The panel on the board's pins: how things stand goes out to it, presses of its button come in."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING

from edged.daemon.items import Pressed
from edged.health import Severity
from edged.telemetry import kinds
from edged.telemetry.kinds import Fields
from edged.thermal.gpio import firmware_fan, open_pins
from edged.thermal.lamp import Glance, light
from edged.thermal.panel import Panel
from edged.thermal.sensor import Reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edged.clock import Clock
    from edged.health import Health
    from edged.serving.dispatcher import Dispatcher
    from edged.settings import PanelConfig
    from edged.telemetry.journal import Journal
    from edged.thermal.sensor import NoReading

LAMP_S = 0.25  # seconds between two looks for the lamp: nobody sees more, and tokens pass here
FAN_S = 5.0  # seconds between two looks for the fan: a board warms by a few degrees in that time


class PanelKeeper:
    """Shows on the LED how things stand, and lets the fan turn.

    Args:
        pins: As configured; without any, nothing is done or imported.
        dispatcher: For the load.
        health: For the problems.
        journal: Told once what cannot be used.
        clock: This machine's.
        sense: The processor's temperature.
        free: Whether neither heat nor supply slows us.
        post: Takes `Pressed` into the inbox; called in the event loop.
    """

    def __init__(  # noqa: PLR0913 - it reads three rooms and writes to two
        self,
        pins: PanelConfig,
        *,
        dispatcher: Dispatcher,
        health: Health,
        journal: Journal,
        clock: Clock,
        sense: Callable[[], Reading | NoReading],
        free: Callable[[], bool],
        post: Callable[[object], None],
    ) -> None:
        self._wanted = any(getattr(pins, key) is not None for key in pins.__struct_fields__)
        self._dispatcher = dispatcher
        self._health = health
        self._journal = journal
        self._sense = sense
        self._free = free
        self._post = post
        self._panel = Panel(pins, clock=clock, pressed=self._press, tell=self._tell)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lamp_at = self._fan_at = -math.inf
        self._unshown = False

    def start(
        self,
        pins: Callable[[], Any] = open_pins,
        has_fan: Callable[[], bool] = firmware_fan,
    ) -> None:
        """Takes the pins, if any is configured.

        Args:
            pins: Makes gpiozero's pin factory, or says why there is none.
            has_fan: Whether the firmware drives a fan.
        """
        if self._wanted:
            self._loop = asyncio.get_running_loop()
            self._panel.start(pins, firmware_fan=has_fan())

    def due(self, now: float) -> None:
        """Shows what is due; called after each batch of the inbox."""
        if not self._wanted:
            return
        self._unshown = now < self._lamp_at + LAMP_S
        if not self._unshown:
            self._lamp_at = now
            self._panel.show(light(self._glance(now)))
        if self._panel.has_fan and now >= self._fan_at + FAN_S:
            self._fan_at = now
            reading = self._sense()
            self._panel.blow(reading.celsius if isinstance(reading, Reading) else None)

    def next_at(self) -> float:
        """When `due` must be called again at the latest, in monotonic seconds."""
        lamp = self._lamp_at + LAMP_S if self._unshown else math.inf
        return min(lamp, self._fan_at + FAN_S if self._panel.has_fan else math.inf)

    def stop(self) -> None:
        """Gives the pins back."""
        self._panel.close()

    def _glance(self, now: float) -> Glance:
        standing = self._dispatcher.snapshot(now)
        severities = {problem.severity for problem in self._health.visible(now)}
        return Glance(
            busy=bool(standing.running) or not standing.ready,
            paused=standing.paused,
            throttled=not self._free(),
            worse=Severity.WARNING in severities,
            broken=Severity.ERROR in severities,
        )

    def _press(self) -> None:
        """Called in a thread of the pin driver."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the daemon ends
                self._loop.call_soon_threadsafe(self._post, Pressed())

    def _tell(self, reason: str) -> None:
        self._journal.write(kinds.PANEL_ABSENT, Fields(reason=reason))
