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

SHORTEST_S = 5.0  # a sample shorter than this is all sensor steps
SAMPLE_S = 20.0  # and it ends after so long, or when the temperature moved
MOVED_C = 1.0  # by two steps of the sensor
MOVED_CORES = 0.5  # a load that changed by so much since the last lesson is a lesson too
LONGEST_S = 60.0  # a gap longer than this says nothing of what was between
MEMORY_S = 150.0  # of lessons, after which one weighs a third
ENOUGH = 6  # samples before the fit is believed
# What is not known yet may be wrong by 0.05, a whole bare board; ten seconds of smoothed readings
# by 0.02 C a second. Variances count in those of a sample.
UNSURE = (0.05 / 0.02) ** 2
# What any board is: no loss faster than a bare die (5 s), none slower than a big plate (an hour);
# a core heats by less than 1.5 C a second and by more than a thousandth.
LOSS = (1 / 3600, 1 / 5)
GAIN = (0.001, 1.5)
REST_C = (0.0, 95.0)  # and no room it rests in is colder or hotter than these make it
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
        since: When the present sample began; None before the first.
        celsius: What it was then.
        core_s: Cores at work since then, times seconds.
        at: Until when that is counted.
        taught: Cores of the last sample that taught something.
    """

    fit: Fit = unsure(PRIOR, UNSURE)
    samples: int = 0
    since: float | None = None
    celsius: float = 0.0
    core_s: float = 0.0
    at: float = 0.0
    taught: float = 0.0

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
    """Take a moment at `celsius`; `cores` were at work since the one before."""
    since = model.since
    if since is None or now - model.at > LONGEST_S:
        return replace(model, since=now, celsius=celsius, core_s=0.0, at=now)
    model = replace(model, core_s=model.core_s + cores * (now - model.at), at=now)
    dt = now - since
    moved = abs(celsius - model.celsius) >= MOVED_C
    if dt < (SHORTEST_S if moved else SAMPLE_S):
        return model
    mean = model.core_s / dt
    if moved or abs(mean - model.taught) >= MOVED_CORES:
        model = _learn(model, celsius, mean, dt)
    return replace(model, since=now, celsius=celsius, core_s=0.0)


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
        taught=cores,
    )


def _physical(theta: Vector) -> Vector:
    """Whatever the samples say, a board loses heat and a core at work heats it."""
    rest, loss, gain = theta
    loss = SCALE_C * _within(loss / SCALE_C, LOSS)
    low, high = ((celsius - ORIGIN_C) * loss / SCALE_C for celsius in REST_C)
    return _within(rest, (low, high)), loss, _within(gain, GAIN)


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(bounds[1], max(bounds[0], value))
