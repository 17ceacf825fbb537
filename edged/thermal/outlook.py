"""How long until it is hot, and how long until it has cooled: told, and never acted on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from edged.thermal.heatmodel import HeatModel
    from edged.thermal.smooth import Smooth
    from edged.thermal.trips import Trips

FAR_S = 3600.0  # a trip point farther off than this is not in sight
# Near the trip point a straight line is the safe thing to say where the model, which knows one mass
# of the two, says never. Farther off it is wrong: a board rises ever more slowly. Less is noise,
# and a board that does not rise is on its way to nothing, whatever the model learned before.
RISING_C_S = 0.03


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from now.

    Attributes:
        until_hot: Until the hot trip point, at this load; None: never, or not known.
        until_free: Until the passive one is left, if the load ended; None: never, or not known.
    """

    until_hot: float | None = None
    until_free: float | None = None


def look(model: HeatModel, smooth: Smooth, trips: Trips, busy: float, *, paced: bool) -> Outlook:
    """What is ahead.

    Args:
        model: Of the board.
        smooth: Its temperature.
        trips: The trip points.
        busy: Cores at work.
        paced: Whether the load gives way to the heat, so that it does not go on as it was.
    """
    celsius = smooth.fast
    if celsius is None:
        return Outlook()
    free_c = trips.passive_c - trips.hysteresis_c
    return Outlook(
        until_hot=_until_hot(model, smooth, trips, busy, paced=paced) if busy else None,
        until_free=_near(model.seconds_until(free_c, celsius, 0.0)) if model.known else None,
    )


def _until_hot(
    model: HeatModel, smooth: Smooth, trips: Trips, busy: float, *, paced: bool
) -> float | None:
    celsius, limit = smooth.fast or 0.0, trips.hot_c
    if celsius >= limit:
        return 0.0
    if smooth.slope < RISING_C_S:
        return None
    curve = model.seconds_until(limit, celsius, busy) if model.known else None
    if paced or celsius < trips.passive_c:
        return _near(curve)
    return _near(max(curve or 0.0, (limit - celsius) / smooth.slope))


def _near(seconds: float | None) -> float | None:
    return None if seconds is None or seconds > FAR_S else round(seconds, 1)
