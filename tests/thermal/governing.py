"""Driving the governor through recorded or made-up temperatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.thermal.governor import Rules, State, step
from edged.thermal.pace import Pace, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable

RULES = Rules(target_tps=8.0, threads=4, threads_batch=4, prefill_chunk=512)


def drive(
    samples: Iterable[Sample],
    state: State | None = None,
    *,
    rules: Rules = RULES,
    every: float = 1.0,
) -> tuple[State, list[Pace]]:
    """One step a second, or as often as told."""
    state = state or State()
    now = 0.0 if state.at is None else state.at
    paces = []
    for sample in samples:
        now += every
        state, pace = step(state, rules, sample, now)
        paces.append(pace)
    return state, paces


def steady(celsius: float | None, seconds: int, **fields: float) -> list[Sample]:
    """The same sample each second; as if at work with two threads."""
    return [Sample(**{"celsius": celsius, "busy": 2.0, **fields})] * seconds  # type: ignore[arg-type]


def work(pace: Pace, rules: Rules = RULES) -> float:
    """Cores at work that a pace allows."""
    return (pace.threads or rules.most) * (1.0 - pace.idle_share)
