"""A first-order model of this board, fitted while it runs: how it heats, and to what.

    dT/dt = rest_rise - loss * T + gain * cores

Recursive least squares with forgetting, so that a fan that starts or a window that opens is
learned within minutes. Where nothing changes there is nothing to learn: such samples are left out,
else forgetting would blow the covariance up and the next sample would throw the fit anywhere.
"""

from __future__ import annotations

from math import exp, log

import msgspec
from msgspec.structs import replace

from edged.thermal.leastsquares import Fit, Vector, learn, unsure

STEP_S = 5.0  # seconds between samples of the fit: shorter ones are all sensor steps
LONGEST_S = 30.0  # a gap longer than this says nothing of what was between
MEMORY_S = 300.0  # seconds after which a sample weighs a third
LEAST_CORES = 0.3  # a change of load, or
LEAST_C = 0.5  # of temperature since the last sample of the fit that teaches something
ENOUGH = 8  # samples before the fit is believed
# What is not known yet may be wrong by 0.05, a whole bare board; ten seconds of smoothed readings
# by 0.02 C a second. Variances count in those of a sample.
UNSURE = (0.05 / 0.02) ** 2
# What any board is: no loss faster than a bare die (5 s), none slower than a big plate (an hour);
# a core heats by less than 1.5 C a second and by more than a thousandth.
LOSS = (1 / 3600, 1 / 5)
GAIN = (0.001, 1.5)
ORIGIN_C, SCALE_C = 60.0, 10.0  # temperatures of the fit are centred, which keeps it well posed
# Before anything is learned: a board without a cooler, resting at 52 C, at which one core adds
# 12 C in three minutes. Cooler boards are found to be so within a minute or two.
PRIOR = (-8.0 / 180, 10.0 / 180, 12.0 / 180)


class HeatModel(msgspec.Struct, frozen=True, kw_only=True):
    """The fit.

    Attributes:
        fit: C a second at `ORIGIN_C` without load; what of it is lost per `SCALE_C` of
            temperature; what a core at work adds.
        samples: Learned from.
        at: When the last sample was; None before the first.
        celsius: What it was.
        cores: Cores at work since then, mean.
        taught: Temperature and cores of the last sample that taught something.
    """

    fit: Fit = unsure(PRIOR, UNSURE)
    samples: int = 0
    at: float | None = None
    celsius: float = 0.0
    cores: float = 0.0
    taught: tuple[float, float] = (0.0, 0.0)

    @property
    def known(self) -> bool:
        """Whether enough was seen to believe it."""
        return self.samples >= ENOUGH

    @property
    def loss(self) -> float:
        """Per second: one over the time constant."""
        return self.fit.theta[1] / SCALE_C

    def rises_to(self, cores: float) -> float:
        """The temperature in degrees C at which this load ends, if it goes on."""
        return ORIGIN_C + (self.fit.theta[0] + self.fit.theta[2] * cores) / self.loss

    def per_core(self, seconds: float) -> float:
        """What one core more adds within so many seconds, in C."""
        return self.fit.theta[2] / self.loss * (1 - exp(-self.loss * seconds))

    def seconds_until(self, limit: float, celsius: float, cores: float) -> float | None:
        """Seconds from `celsius` to `limit` at this load; None if it never comes there."""
        end = self.rises_to(cores)
        if (celsius < limit) != (limit < end) or limit == end:
            return 0.0 if celsius == limit else None
        return log((end - celsius) / (end - limit)) / self.loss


def observe(model: HeatModel, celsius: float, cores: float, now: float) -> HeatModel:
    """Take a moment in which `cores` were at work at `celsius`; few of them are learned from."""
    if model.at is None:
        return replace(model, at=now, celsius=celsius, cores=cores, taught=(celsius, cores))
    mean = model.cores + 0.5 * (cores - model.cores)
    dt = now - model.at
    if dt < STEP_S:
        return replace(model, cores=mean)
    if dt <= LONGEST_S and _teaches(model, celsius, mean):
        model = _learn(model, celsius, mean, dt)
    return replace(model, at=now, celsius=celsius, cores=cores)


def _teaches(model: HeatModel, celsius: float, cores: float) -> bool:
    then_c, then_cores = model.taught
    return abs(cores - then_cores) >= LEAST_CORES or abs(celsius - then_c) >= LEAST_C


def _learn(model: HeatModel, celsius: float, cores: float, dt: float) -> HeatModel:
    middle = (model.celsius + celsius) / 2
    fit = learn(
        model.fit,
        (1.0, -(middle - ORIGIN_C) / SCALE_C, cores),
        (celsius - model.celsius) / dt,
        keep=exp(-dt / MEMORY_S),
        most=UNSURE,
    )
    return replace(
        model,
        fit=replace(fit, theta=_physical(fit.theta)),
        samples=min(ENOUGH, model.samples + 1),
        taught=(celsius, cores),
    )


def _physical(theta: Vector) -> Vector:
    """Whatever the samples say, a board loses heat and a core at work heats it."""
    rest, loss, gain = theta
    return (
        rest,
        SCALE_C * min(LOSS[1], max(LOSS[0], loss / SCALE_C)),
        min(GAIN[1], max(GAIN[0], gain)),
    )
