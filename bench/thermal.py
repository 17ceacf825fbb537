"""An hour of requests on a simulated Pi 5: edged's governor against the firmware alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.plant import cases, rates
from bench.plant.cases import means
from bench.plant.firmware import SOFT_C
from bench.plant.published import WITHIN_C, points
from bench.plant.server import Requests
from bench.plant.soak import TRIPS
from bench.report import Figure, Options, Result, Series, judged, run, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.plant.cases import Case
    from bench.plant.rates import Model

BUSY: Final = Requests()
IDLE: Final = Requests(every=60.0)
# Of what physics allows at the hot trip point: reading is hotter than answering and the sensor is
# coarse, so that the mean has to lie a degree below.
NEAR: Final = 0.9
HEAT_S: Final = 20  # seconds of one point of a plot
SPEED_S: Final = 180  # several requests, so that reading and answering are averaged
LEAST_C: Final = 30.0  # where the plots of temperatures begin
PHYSICS: Final = (
    "Where edged has far fewer tokens than the firmware alone, physics forbids more: the firmware "
    "lets the board stay between 80 and 97 C, and lowers clock and voltage together there, which "
    "takes less heat for a token than any rest at the full clock. 'Of what physics allows' is of "
    "the most that any threads and rests decode for ever at the hot trip point; it is over 1 where "
    "the board began cool. Where edged is short by a percent, that is its distance from the trip "
    "point."
)
PLANT: Final = (
    "The plant keeps the full clock below 80 C: what `ondemand` saves while edged rests is left "
    "out. How deep the firmware's clock falls above 86 C is not published; here to 600 MHz at 90 C."
)


def measure(options: Options) -> Result:
    """An hour of requests on a simulated Pi 5: edged's governor against the firmware alone."""
    busy = _cases(rates.MODEL_30B)
    figures = [*_published(), *(figure for case in busy for figure in _busy(case))]
    for cooler in cases.COOLERS:
        figures += _idle(cases.run(cooler, 30.0, rates.MODEL_30B, IDLE, cases.HOUR_S))
    if options.full:
        for case in _cases(rates.MODEL_30B_SCALING):
            figures += _busy(case, " (if the fourth thread helped)")
    return Result(
        figures=tuple(figures),
        conditions={
            "model": f"{rates.MODEL_30B.name}, {rates.MODEL_30B.threads} threads",
            "requests": f"{BUSY.prompt} new tokens read, {BUSY.answer} answered, one after another",
            "trip points": f"{TRIPS.passive_c:g}, {TRIPS.hot_c:g}, {TRIPS.critical_c:g} C",
        },
        notes=(PHYSICS, PLANT),
        series=tuple(one for case in busy for one in _series(case)),
    )


def _cases(model: Model) -> list[Case]:
    return [
        cases.run(cooler, room, model, BUSY, cases.HOUR_S)
        for cooler in cases.COOLERS
        for room in cases.ROOMS_C
    ]


def _published() -> Iterator[Figure]:
    for point in points():
        yield told(f"{point.name}: published {point.published:g}, plant", point.plant, "C")
        yield judged("  apart", abs(point.plant - point.published), f"<= {WITHIN_C:g}", "C")


def _busy(case: Case, which: str = "") -> Iterator[Figure]:
    name = case.name + which
    edged, firmware = case.edged, case.firmware
    yield judged(f"{name}: tokens, of the firmware's", case.ratio, ">= 1")
    yield judged("  tokens, of what physics allows", cases.tokens(edged) / case.most, f">= {NEAR}")
    yield told("  tokens, edged", round(cases.tokens(edged)))
    yield told("  tokens, firmware alone", round(cases.tokens(firmware)))
    yield from _heat(case)
    yield told("  variance from minute to minute, edged", cases.variance(edged), "(tok/s)^2")
    yield told("  variance from minute to minute, firmware", cases.variance(firmware), "(tok/s)^2")


def _idle(case: Case) -> Iterator[Figure]:
    asked = cases.HOUR_S / IDLE.every * IDLE.answer
    edged = cases.tokens(case.edged)
    yield told(f"{case.name}, a prompt a minute: answered, edged", edged / asked)
    yield told("  answered, firmware alone", cases.tokens(case.firmware) / asked)
    yield judged("  of what physics allows", edged / min(asked, case.most), f">= {NEAR}")
    yield from _heat(case)


def _heat(case: Case) -> Iterator[Figure]:
    again = cases.above_again(case.edged, SOFT_C)
    yield judged("  above 80 C after the first time, edged", again, "== 0", "s")
    yield told("  above 80 C, edged", cases.above(case.edged, SOFT_C), "s")
    yield told("  above 80 C, firmware alone", cases.above(case.firmware, SOFT_C), "s")
    yield told("  hottest, edged", max(moment.celsius for moment in case.edged), "C")
    yield told("  hottest, firmware alone", max(moment.celsius for moment in case.firmware), "C")


def _series(case: Case) -> Iterator[Series]:
    heat, speed = f"C; {case.name}", f"tok/s; {case.name}"
    for name, moments in (("edged", case.edged), ("firmware alone", case.firmware)):
        celsius = means([moment.celsius for moment in moments], HEAT_S)
        yield Series(name=name, unit=heat, values=celsius, each=f"{HEAT_S} s", least=LEAST_C)
        tps = means([moment.tokens for moment in moments], SPEED_S)
        yield Series(name=name, unit=speed, values=tps, each=f"{SPEED_S} s")
    limit = (SOFT_C, SOFT_C)
    yield Series(name="the firmware's limit", unit=heat, values=limit, least=LEAST_C)


if __name__ == "__main__":
    raise SystemExit(run("thermal", measure))
