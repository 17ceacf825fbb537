"""An hour of requests on a simulated board, with edged's governor or with the firmware alone."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from bench.plant.rates import CORES
from bench.plant.server import Requests, Server
from edged.thermal.governor import Rules, State, step
from edged.thermal.pace import Pace, Sample
from edged.thermal.trips import Trips

if TYPE_CHECKING:
    import random

    from bench.plant.board import Look, Plant
    from bench.plant.rates import Model

SENSOR_STEP_C: Final = 0.55  # of the Pi 5's converter
NOISE_C: Final = 0.3  # of one reading, a standard deviation: about a step now and then
LOAD_S: Final = 30  # a daemon that starts loads its model first, and looks at the board meanwhile
BUSY_S: Final = 3  # seconds over which the daemon tells cores at work
TRIPS: Final = Trips()  # as the configuration has them if nothing is said
TARGET_TPS: Final = 8.0


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One second of it.

    Attributes:
        celsius: Of the die, truly and not as the sensor has it.
        tokens: Decoded in this second.
        mhz: Of the cores.
        pace: That held.
    """

    celsius: float
    tokens: float
    mhz: float
    pace: Pace


class Governor:
    """edged's, fed as the daemon feeds it.

    Args:
        model: That is served.
        noise: Of the sensor.
    """

    def __init__(self, model: Model, noise: random.Random) -> None:
        self._rules = Rules(
            target_tps=TARGET_TPS,
            threads=model.threads,
            threads_batch=CORES,
            prefill_chunk=512,
            trips=TRIPS,
        )
        self._state = State()
        self._noise = noise
        self._busy: deque[float] = deque(maxlen=BUSY_S)

    def pace(self, look: Look, cores: float, possible_tps: float, now: float) -> Pace:
        """One look and one step."""
        self._busy.append(cores)
        read = look.celsius + self._noise.gauss(0.0, NOISE_C)
        sample = Sample(
            celsius=round(read / SENSOR_STEP_C) * SENSOR_STEP_C,
            busy=sum(self._busy) / len(self._busy),
            possible_tps=possible_tps,
        )
        self._state, pace = step(self._state, self._rules, sample, now)
        return pace


def soak(
    plant: Plant,
    model: Model,
    governor: Governor | None,
    requests: Requests | None = None,
    seconds: int = 3600,
) -> list[Moment]:
    """Serve for so many seconds.

    Args:
        plant: The board; it goes on from what it is.
        model: What it serves with.
        governor: edged's; None if only the firmware acts.
        requests: What is asked; one after the other if not told.
        seconds: How long.
    """
    server = Server(model, requests or Requests(), LOAD_S)
    look, pace, moments = plant.step(1.0, 0.0), Pace(), []
    for now in range(LOAD_S + seconds):
        second = server.advance(1.0, pace, look.mhz)
        look = plant.step(1.0, second.cores, second.work)
        moments.append(Moment(celsius=look.celsius, tokens=second.tokens, mhz=look.mhz, pace=pace))
        if governor is not None:
            pace = governor.pace(look, second.cores, second.possible_tps, float(now))
    return moments[LOAD_S:]
