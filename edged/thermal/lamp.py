"""What the status LED shows, and how that looks."""

from __future__ import annotations

from enum import Enum

import msgspec


class Light(Enum):
    """What a glance across the room should tell."""

    IDLE = "idle"
    BUSY = "busy"
    PAUSED = "paused"
    THROTTLED = "throttled"
    PROBLEM = "problem"


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand, as far as one lamp can say it.

    Attributes:
        busy: It answers, or loads what will.
        paused: Requests are refused until an owner resumes.
        throttled: Heat or the supply slows it, or it slows itself for them.
        worse: Something is worse than it should be, but every request is answered.
        broken: Requests are refused or replies cannot leave.
    """

    busy: bool = False
    paused: bool = False
    throttled: bool = False
    worse: bool = False
    broken: bool = False


class Pattern(msgspec.Struct, frozen=True):
    """One period of the lamp, in seconds; `on_s` of 0 without fading is steady light."""

    on_s: float = 0.0
    off_s: float = 0.0
    fade_s: float = 0.0  # up before `on_s`, and down after it

    @property
    def steady(self) -> bool:
        """It shines and never changes, so nobody needs to wake for it."""
        return not (self.on_s or self.off_s or self.fade_s)


# Told apart at a glance by their rhythm, and none flashes faster than 4 Hz. A fade is 25 steps a
# second, each of which wakes us: an idle lamp rests for more than half of the time.
PATTERNS = {
    Light.IDLE: Pattern(off_s=4.0, fade_s=1.5),
    Light.BUSY: Pattern(),
    Light.PAUSED: Pattern(on_s=0.1, off_s=2.9),
    Light.THROTTLED: Pattern(on_s=1.0, off_s=1.0),
    Light.PROBLEM: Pattern(on_s=0.125, off_s=0.125),
}


def light(glance: Glance) -> Light:
    """The one thing to show: what stops answers first, then what slows them, then the rest."""
    order = (
        (glance.broken, Light.PROBLEM),
        (glance.throttled, Light.THROTTLED),
        (glance.worse, Light.PROBLEM),
        (glance.busy, Light.BUSY),
        (glance.paused, Light.PAUSED),
    )
    return next((shown for so, shown in order if so), Light.IDLE)
