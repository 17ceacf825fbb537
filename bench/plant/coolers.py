"""What carries the heat away: nothing, metal, or a fan."""

from __future__ import annotations

from typing import Final

import msgspec

# The firmware's fan curve: from these temperatures on in degrees C, PWM of 255 (the device tree).
FAN_STEPS: Final = ((50.0, 75), (60.0, 125), (67.5, 175), (75.0, 250))
FAN_HYSTERESIS_C: Final = 5.0


class Cooler(msgspec.Struct, frozen=True, kw_only=True):
    """Two masses in a row: the die, and the board with what is mounted on it.

    Attributes:
        name: As people call it.
        inner: K/W from the die to the board and its metal.
        outer: K/W from there to the air of the room, with the fan off.
        capacity: J/K of the board and its metal.
        blown: The same as `outer` at each step of the fan; empty without one.
    """

    name: str
    inner: float
    outer: float
    capacity: float
    blown: tuple[float, ...] = ()

    def to_air(self, fan: int) -> float:
        """K/W to the air with the fan at a step, 0 is off."""
        return self.blown[fan - 1] if fan else self.outer

    def scaled(self, resistance: float, capacity: float) -> Cooler:
        """Another board of this kind: its resistances and its capacity times so much."""
        return Cooler(
            name=self.name,
            inner=self.inner * resistance,
            outer=self.outer * resistance,
            capacity=self.capacity * capacity,
            blown=tuple(step * resistance for step in self.blown),
        )


def fan_step(cooler: Cooler, before: int, celsius: float) -> int:
    """The step of the fan, 0 to 4; 0 for ever without one."""
    if not cooler.blown:
        return 0
    up = sum(celsius >= trip for trip, _ in FAN_STEPS)
    kept = sum(celsius > trip - FAN_HYSTERESIS_C for trip, _ in FAN_STEPS)
    return max(up, min(before, kept))


# Fitted to the published curves; see `published`.
BARE: Final = Cooler(name="no cooler", inner=5.1, outer=12.8, capacity=18.0)
HEATSINK: Final = Cooler(name="heatsink", inner=3.6, outer=10.5, capacity=25.0)
CASE: Final = Cooler(name="passive", inner=3.3, outer=5.6, capacity=32.0)
ACTIVE: Final = Cooler(
    name="active", inner=1.8, outer=9.7, capacity=30.0, blown=(6.0, 4.4, 3.7, 3.4)
)
