"""What was published of heat on a Pi 5, and what the plant makes of the same."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Final

import msgspec

from bench.plant.board import Plant
from bench.plant.coolers import ACTIVE, BARE, CASE, HEATSINK
from bench.plant.power import DECODE, HEAVY, PREFILL, STRESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.plant.coolers import Cooler
    from bench.plant.power import Work

WITHIN_C: Final = 3.0
# j-baba's room was at 20 C; of the others it is not said.
ROOM_C: Final = 22.0
FOUR: Final = 4.0
MINUTE_S: Final = 60.0
# Phoronix gives mean and peak of a suite whose load is not published: here so much of each ten
# minutes on four cores and the rest on one. One number fitted to two means.
SUITE_SHARE: Final = 0.3
SUITE_S: Final = 600.0
SUITE_ROUNDS: Final = 4


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One published temperature.

    Attributes:
        name: What it is, and who published it.
        published: In degrees C; of a range, its middle.
        plant: What the plant comes to.
    """

    name: str
    published: float
    plant: float


def points() -> Iterator[Point]:
    """Every published temperature of a Pi 5 whose load is told well enough to repeat it."""
    yield from _after("no cooler, stress -c4, {} min (j-baba)", BARE, (82.3, 84.5, 86.2))
    rest = Plant(ACTIVE, 20.0).step(1.0, 0.0).celsius
    yield Point(name="active, at rest (j-baba)", published=40.0, plant=rest)
    yield from _after("active, stress -c4, {} min (j-baba)", ACTIVE, (55.4, 58.2, 59.8))
    yield from _suite("no cooler", BARE, 81.0, 89.0)
    yield from _suite("active", ACTIVE, 56.0, 72.0)
    yield _at("heatsink, prefill, 1 min, 77 to 79 (geist)", HEATSINK, PREFILL, 60.0, 78.0)
    yield _at("Pi 500, decode, 5 min, 80 to 85 (geerlingguy)", CASE, DECODE, 300.0, 82.5)
    yield _at("Pi 500, decode, 20 min, 80 to 85 (geerlingguy)", CASE, DECODE, 1200.0, 82.5)
    yield _at("active, decode, 5 h, 58 to 63 (potato)", ACTIVE, DECODE, 18000.0, 60.5)


def _at(name: str, cooler: Cooler, work: Work, seconds: float, published: float) -> Point:
    plant = Plant(cooler, ROOM_C).step(seconds, FOUR, work).celsius
    return Point(name=name, published=published, plant=plant)


def _after(name: str, cooler: Cooler, curve: tuple[float, ...]) -> Iterator[Point]:
    plant = Plant(cooler, 20.0)
    for minute, published in enumerate(curve, 1):
        celsius = plant.step(MINUTE_S, FOUR, STRESS).celsius
        yield Point(name=name.format(minute), published=published, plant=celsius)


def _suite(name: str, cooler: Cooler, mean: float, peak: float) -> Iterator[Point]:
    plant = Plant(cooler, ROOM_C)
    seen = []
    for second in range(int(SUITE_ROUNDS * SUITE_S)):
        heavy = second % SUITE_S < SUITE_SHARE * SUITE_S
        look = plant.step(1.0, FOUR, HEAVY) if heavy else plant.step(1.0, 1.0, STRESS)
        seen.append(look.celsius)
    yield Point(name=f"{name}, suite, mean (Phoronix)", published=mean, plant=fmean(seen))
    yield Point(name=f"{name}, suite, peak (Phoronix)", published=peak, plant=max(seen))
