"""Trip points with hysteresis: who may still come at a temperature."""

from __future__ import annotations

import msgspec

from edged.thermal.pace import Admit

HYSTERESIS_C = 3.0  # several steps of the Pi 5's sensor (0.55 C), so that noise undoes nothing


class Trips(msgspec.Struct, frozen=True, kw_only=True):
    """Temperatures at which something happens, in degrees C, ascending.

    Attributes:
        passive_c: From here on the pace looks a minute ahead.
        hot_c: Background work is refused; the pace keeps the board below it.
        critical_c: Nothing new is let in. Halfway there only what is urgent is.
        hysteresis_c: So far below a trip point what it did is undone.
    """

    passive_c: float = 70.0
    hot_c: float = 78.0
    critical_c: float = 83.0
    hysteresis_c: float = HYSTERESIS_C


def admit(trips: Trips, celsius: float, before: Admit) -> Admit:
    """Who may come.

    Args:
        trips: The trip points.
        celsius: The temperature now.
        before: Who might come until now.
    """
    reached = _level(trips, celsius)
    kept = _level(trips, celsius + trips.hysteresis_c)
    return max(reached, min(before, kept))


def _level(trips: Trips, celsius: float) -> Admit:
    urgent_c = (trips.hot_c + trips.critical_c) / 2
    return Admit(sum(celsius >= trip for trip in (trips.hot_c, urgent_c, trips.critical_c)))


def warm(trips: Trips, celsius: float, *, before: bool) -> bool:
    """Whether the passive trip point holds, which it does until the hysteresis is passed."""
    return celsius >= trips.passive_c - (trips.hysteresis_c if before else 0.0)
