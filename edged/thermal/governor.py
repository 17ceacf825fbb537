"""The governor: a temperature comes in, a pace goes out.

What it steers is one number, the cores that may be at work. Each second it asks what the next ten
seconds and, once it is warm, the next minute would bring at this load, and moves that number so
that the temperature ends just under the hot trip point. So the board runs at the most it can
sustain, instead of swinging between full speed and a stop. `spread` makes threads and rests of it.
The clock is never touched: the firmware would raise it again.

The trip points stand behind that, for what no prediction sees: they say who may still come.
"""

from __future__ import annotations

from math import isfinite

import msgspec
from msgspec.structs import replace

from edged.thermal import heatmodel, outlook, smooth, spread, trips
from edged.thermal.heatmodel import HeatModel
from edged.thermal.pace import Admit, Pace, Sample, Throttle
from edged.thermal.smooth import Smooth
from edged.thermal.trips import Trips

UNDER_HOT_C = 0.5  # aim so far below the hot trip point: noise shall not reach it
LOOK_S = 60.0  # how far ahead; a bare board takes a minute from warm to throttled
JUMP_S = 10.0  # the die answers a new load within seconds, long before the board does
# What a core more adds within these times, in C, until the model knows. What it then says is held
# between these: a Pi 5 with a cooler and a bare one, with room to both sides.
MINUTE_C, MINUTE_RANGE = 8.0, (4.0, 12.0)
JUMP_C, JUMP_RANGE = 5.0, (3.0, 6.0)
# A board is two masses and the model has one: of the die's own jump it sees two thirds.
JUMP_FACTOR = 1.5
# An engine that uses this share of what it may is held back by it, and may be given more than it
# uses; one that does not shall not save up for the next prompt.
HELD_BACK = 0.85
LEAST_CORES = 0.1  # what runs goes on, however slowly
# Cores a second: hotter, all four are gone within ten seconds; cooler, they are back in a minute.
DOWN, UP = 0.5, 0.05
SETTLE_S = 20.0  # what is short or left of the aim is taken back over so many seconds
HOLD_S = 10.0  # seconds for which a sensor that is silent is believed not to have changed
# Without a sensor: half the threads, at half their time, keep all but a bare board in a warm room
# below the firmware's limit.
BLIND_SHARE = 0.25
LONGEST_S = 60.0  # seconds that one sample may stand for
LOWEST_C, HIGHEST_C = -40.0, 150.0  # outside, it is the sensor that is ill and not the board


class Rules(spread.Rules, frozen=True, kw_only=True):
    """What is configured, and the trip points."""

    trips: Trips = Trips()


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the governor remembers; the default knows nothing and is free.

    Attributes:
        cores: That may be at work; None is all.
        threads: That share them; None is all.
        admit: Who may come.
        warm: Whether the passive trip point holds, and the pace looks a minute ahead.
        smooth: Of the readings.
        model: How this board heats.
        seen_at: When the sensor last told; None if it never did.
        at: When the last step was; None before the first.
    """

    cores: float | None = None
    threads: int | None = None
    admit: Admit = Admit.ALL
    warm: bool = False
    smooth: Smooth = Smooth()
    model: HeatModel = HeatModel()
    seen_at: float | None = None
    at: float | None = None


def step(state: State, rules: Rules, sample: Sample, now: float) -> tuple[State, Pace]:
    """Take one look at the board.

    Args:
        state: As the last step left it; a new engine or a new limit needs no new one.
        rules: What is configured.
        sample: The board now; numbers that cannot be are taken as not told.
        now: Seconds, monotonic. Once a second while busy; more seldom when idle and cool.
    """
    sample = _sane(sample, rules)
    dt = 0.0 if state.at is None else min(LONGEST_S, max(0.0, now - state.at))
    state = replace(state, at=now)
    if sample.celsius is not None:
        state = _look(state, rules, sample, dt, now)
    elif state.seen_at is not None and now - state.seen_at > HOLD_S:
        state = _blind(state, rules, dt)
    before = min(state.threads or rules.most, rules.most)
    count = spread.threads(rules, _cores(state, rules), before, sample.possible_tps)
    state = replace(state, threads=count)
    return state, _pace(state, rules, sample, count)


def _look(state: State, rules: Rules, sample: Sample, dt: float, now: float) -> State:
    """The sensor told: learn from it and move."""
    smoothed = smooth.take(state.smooth, sample.celsius or 0.0, dt)
    state = replace(state, smooth=smoothed, seen_at=now)
    celsius = smoothed.fast
    if celsius is None:
        return state
    state = replace(
        state,
        warm=trips.warm(rules.trips, celsius, before=state.warm),
        admit=trips.admit(rules.trips, celsius, state.admit),
    )
    cores = _cores(state, rules)
    base = cores if sample.busy >= HELD_BACK * cores else sample.busy
    moved = _moved(cores, _goal(state, rules, base, celsius), dt, rules)
    # Learned last: the pace at a hotter reading is then never faster, whatever is learned from it.
    model = heatmodel.observe(state.model, celsius, sample.busy, now)
    return replace(state, cores=moved, model=model)


def _goal(state: State, rules: Rules, base: float, celsius: float) -> float:
    """Cores at work with which the aim is met and not passed, from those that are now."""
    left = rules.trips.hot_c - UNDER_HOT_C - celsius
    model = state.model
    jump = _within(JUMP_FACTOR * model.per_core(JUMP_S), JUMP_RANGE) if model.known else JUMP_C
    goal = base + left / jump
    if state.warm:
        minute = _within(model.per_core(LOOK_S), MINUTE_RANGE) if model.known else MINUTE_C
        goal = min(goal, base + (left - LOOK_S * state.smooth.slope) / minute)
    return goal


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(bounds[1], max(bounds[0], value))


def _moved(cores: float, goal: float, dt: float, rules: Rules) -> float:
    """On the way to the goal, by bounded steps."""
    wanted = smooth.approach(cores, goal, dt, SETTLE_S)
    bounded = min(cores + UP * dt, max(cores - DOWN * dt, wanted))
    return min(float(rules.most), max(LEAST_CORES, bounded))


def _blind(state: State, rules: Rules, dt: float) -> State:
    """Without a sensor: as at a temperature at which anybody would be careful."""
    goal = min(_cores(state, rules), BLIND_SHARE * rules.most)
    return replace(
        state,
        cores=_moved(_cores(state, rules), goal, dt, rules),
        admit=max(state.admit, Admit.NO_BACKGROUND),
        smooth=Smooth(),
    )


def _cores(state: State, rules: Rules) -> float:
    return rules.most if state.cores is None else min(state.cores, rules.most)


def _pace(state: State, rules: Rules, sample: Sample, count: int) -> Pace:
    pace = spread.spread(rules, _cores(state, rules), count, sample)
    paced = pace != Pace() or state.admit > Admit.ALL
    ahead = outlook.look(state.model, state.smooth, rules.trips, sample.busy, paced=paced)
    return replace(
        pace,
        admit=state.admit,
        throttle=_throttle(sample, paced=paced),
        time_to_throttle_s=ahead.until_hot,
        cooldown_eta_s=ahead.until_free if paced else None,
    )


def _throttle(sample: Sample, *, paced: bool) -> Throttle:
    """What slows us; a cause before its consequence."""
    if sample.undervoltage:
        return "undervoltage"
    if sample.soft:
        return "soft"
    if sample.capped:
        return "capped"
    return "paced" if paced else "none"


def _sane(sample: Sample, rules: Rules) -> Sample:
    """The sample without numbers that cannot be."""
    celsius, tps = sample.celsius, sample.possible_tps
    return replace(
        sample,
        celsius=celsius if celsius is not None and LOWEST_C <= celsius <= HIGHEST_C else None,
        busy=min(float(rules.most), max(0.0, sample.busy)) if isfinite(sample.busy) else 0.0,
        possible_tps=tps if tps is not None and isfinite(tps) and tps > 0 else None,
    )
