"""The board: two masses, a clock, a fan, and the bits the firmware shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bench.plant import firmware, power
from bench.plant.coolers import fan_step

if TYPE_CHECKING:
    from bench.plant.coolers import Cooler
    from bench.plant.power import Work

DIE_JK: Final = 2.4  # of the die, its lid and what is soldered close to it
REST_S: Final = 7200.0  # after which nothing moves any more
FINEST_S: Final = 0.5  # the die answers within seconds; longer steps are cut


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """The board at one moment.

    Attributes:
        celsius: Of the die.
        mhz: Of the cores.
        bits: As get_throttled answers.
        fan: The step it is at, 0 to 4.
        watts: Of board and die.
    """

    celsius: float
    mhz: float
    bits: int
    fan: int
    watts: float


class Plant:
    """A Pi 5 in a room.

    Args:
        cooler: What carries the heat away.
        ambient: Of the room in degrees C.
        celsius: Of die and board at the start; None is where it rests.
        watts: Its power, times this.
    """

    def __init__(
        self, cooler: Cooler, ambient: float, celsius: float | None = None, watts: float = 1.0
    ) -> None:
        self._cooler = cooler
        self._ambient = ambient
        self._scale = watts
        self._die = self._board = ambient if celsius is None else celsius
        self._mhz = firmware.FULL_MHZ
        self._bits = 0
        self._fan = 0
        if celsius is None:
            self.step(REST_S, 0.0)
            self._bits = 0

    def step(self, dt: float, busy_cores: float, work: Work = power.DECODE) -> Look:
        """Let `dt` seconds pass with so many cores at work, on the average."""
        count = max(1, round(dt / FINEST_S))
        watts = 0.0
        for _ in range(count):
            watts = self._advance(dt / count, busy_cores, work)
        return Look(celsius=self._die, mhz=self._mhz, bits=self._bits, fan=self._fan, watts=watts)

    def _advance(self, dt: float, cores: float, work: Work) -> float:
        hot = self._scale * power.die(cores, self._mhz, self._die, work)
        rest = self._scale * power.board(cores, work)
        inward = (self._die - self._board) / self._cooler.inner
        outward = (self._board - self._ambient) / self._cooler.to_air(self._fan)
        self._die += dt * (hot - inward) / DIE_JK
        self._board += dt * (rest + inward - outward) / self._cooler.capacity
        self._mhz = firmware.clock(self._mhz, self._die, dt)
        self._bits = firmware.bits(self._bits, self._mhz, self._die)
        self._fan = fan_step(self._cooler, self._fan, self._die)
        return hot + rest
