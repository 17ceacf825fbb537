"""What the sensors of a board say, as frozen values; each may be missing, with the reason."""

from __future__ import annotations

import msgspec


class NoReading(msgspec.Struct, frozen=True):
    """Why there is no value, in words."""

    reason: str


class Reading(msgspec.Struct, frozen=True):
    """The processor's temperature in degrees Celsius."""

    celsius: float


class Clock(msgspec.Struct, frozen=True):
    """The clock of the first processor, as cpufreq tells.

    Attributes:
        khz: Now. What the firmware takes away may not show in it.
        max_khz: The highest; None if it does not tell.
        governor: Which chooses; empty if it does not tell.
    """

    khz: int
    max_khz: int | None = None
    governor: str = ""


class Alarm(msgspec.Struct, frozen=True):
    """Whether the supply was too weak within the last two seconds."""

    on: bool


class Volts(msgspec.Struct, frozen=True):
    """What arrives at the board's power connector, behind its protection."""

    volts: float


class Fan(msgspec.Struct, frozen=True):
    """A fan that the kernel drives.

    Attributes:
        rpm: Turns a minute; None if it does not tell.
        pwm: The duty it is driven with, 0 to 255; None if it does not tell.
    """

    rpm: int | None = None
    pwm: int | None = None


class Pressure(msgspec.Struct, frozen=True):
    """How much of the last ten seconds was lost to want of memory, in percent.

    Attributes:
        some: At least one task waited for memory.
        full: All that could run waited for memory.
    """

    some: float
    full: float


class Throttled(msgspec.Struct, frozen=True):
    """The firmware's word on what it takes away, now and since it started.

    The bits are those that Raspberry Pi documents for `vcgencmd get_throttled`.
    """

    bits: int

    @property
    def undervoltage(self) -> bool:
        """The supply is too weak now."""
        return bool(self.bits & 1 << 0)

    @property
    def capped(self) -> bool:
        """The clock is capped now."""
        return bool(self.bits & 1 << 1)

    @property
    def throttled(self) -> bool:
        """The clock is cut now, for heat or for the supply."""
        return bool(self.bits & 1 << 2)

    @property
    def soft(self) -> bool:
        """The soft temperature limit is active now."""
        return bool(self.bits & 1 << 3)

    @property
    def since_boot(self) -> Throttled:
        """The same four, as what happened at least once since the board started."""
        return Throttled(self.bits >> 16 & 0xF)


class Senses(msgspec.Struct, frozen=True, kw_only=True):
    """All sensors of the board at one moment."""

    temperature: Reading | NoReading
    clock: Clock | NoReading
    alarm: Alarm | NoReading
    volts: Volts | NoReading
    throttled: Throttled | NoReading
    fan: Fan | NoReading
    pressure: Pressure | NoReading

    @property
    def celsius(self) -> float | None:
        """Degrees of the processor; None if no sensor tells."""
        return self.temperature.celsius if isinstance(self.temperature, Reading) else None

    @property
    def reason(self) -> str:
        """Why there is no temperature; empty if there is one."""
        return self.temperature.reason if isinstance(self.temperature, NoReading) else ""

    @property
    def undervoltage(self) -> bool:
        """The supply is too weak now, by the kernel's word or the firmware's."""
        told = isinstance(self.throttled, Throttled) and self.throttled.undervoltage
        return told or (isinstance(self.alarm, Alarm) and self.alarm.on)

    @property
    def capped(self) -> bool:
        """The firmware caps the clock now, whatever for."""
        return isinstance(self.throttled, Throttled) and self.throttled.capped

    @property
    def soft(self) -> bool:
        """The firmware's soft temperature limit is active, or it throttles."""
        told = self.throttled
        return isinstance(told, Throttled) and (told.soft or told.throttled)
