"""A cooler in a room, with edged and with the firmware alone, and what to say of it."""

from __future__ import annotations

import random
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Final

import msgspec

from bench.plant.board import Plant
from bench.plant.bound import most_tps
from bench.plant.coolers import ACTIVE, BARE, CASE
from bench.plant.soak import TRIPS, Governor, Moment, soak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.plant.coolers import Cooler
    from bench.plant.rates import Model
    from bench.plant.server import Requests

COOLERS: Final = (BARE, CASE, ACTIVE)
ROOMS_C: Final = (20.0, 30.0, 40.0)
HOUR_S: Final = 3600
MINUTE_S: Final = 60
SEED: Final = 5


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One cooler in one room.

    Attributes:
        name: Of it.
        edged: Second by second.
        firmware: The same without edged's governor.
        most: Tokens of an hour that physics allows below the hot trip point, begun warm.
    """

    name: str
    edged: list[Moment]
    firmware: list[Moment]
    most: float

    @property
    def ratio(self) -> float:
        """Edged's tokens to those of the firmware alone."""
        return tokens(self.edged) / tokens(self.firmware)


def run(cooler: Cooler, room: float, model: Model, requests: Requests, seconds: int) -> Case:
    """Both ways, with the same noise of the sensor."""
    governor = Governor(model, random.Random(SEED))  # noqa: S311 - no secret
    most = most_tps(cooler, room, model, requests, TRIPS.hot_c) * seconds
    return Case(
        name=f"{cooler.name}, {room:.0f} C",
        edged=soak(Plant(cooler, room), model, governor, requests, seconds),
        firmware=soak(Plant(cooler, room), model, None, requests, seconds),
        most=most,
    )


def tokens(moments: Sequence[Moment]) -> float:
    """Decoded in all."""
    return sum(moment.tokens for moment in moments)


def above(moments: Sequence[Moment], limit: float) -> int:
    """Seconds above a temperature."""
    return sum(moment.celsius > limit for moment in moments)


def above_again(moments: Sequence[Moment], limit: float) -> int:
    """Seconds above it after the first time was over; all but the first if it never was."""
    over = [moment.celsius > limit for moment in moments]
    if True not in over:
        return 0
    rest = over[over.index(True) :]
    return sum(rest[rest.index(False) :]) if False in rest else len(rest) - 1


def means(values: Sequence[float], width: int) -> tuple[float, ...]:
    """Of each `width` values."""
    return tuple(fmean(values[start : start + width]) for start in range(0, len(values), width))


def variance(moments: Sequence[Moment]) -> float:
    """Of tok/s from minute to minute."""
    return pstdev(means([moment.tokens for moment in moments], MINUTE_S)) ** 2
