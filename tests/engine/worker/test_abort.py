"""A step that is given up inside of a graph: what was being read is answered all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.engine.frames import Generate, Prefill
from edged.engine.worker import loop
from tests.engine.harness import load, prompt
from tests.engine.worker.conftest import TINY
from tests.engine.worker.rig import Rig, done, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edged.engine.frames import FromChild, Load
    from edged.engine.worker.reading import Reading

CHUNK = 64
LONG = prompt("the kitchen is warm and the window is open " * 6, key="long", max_tokens=12)


def read(rig: Rig, request: Generate, midway: Callable[[Reading], None]) -> list[FromChild]:
    """Answer it; something happens in the middle of the second chunk that is read."""
    real = rig.desk.runs.interrupts
    looks = 0

    def interrupts(step: list[Reading], now: float) -> bool:
        nonlocal looks
        looks += any(reader.position >= CHUNK for reader in step)
        if looks == 9:  # some nodes of the graph are computed
            midway(step[0])
        return real(step, now)

    rig.desk.runs.interrupts = interrupts  # type: ignore[method-assign]
    rig.say(request)
    frames = rig.finish()
    rig.desk.runs.interrupts = real  # type: ignore[method-assign]
    assert looks >= 9
    return frames


@pytest.fixture(params=TINY)
def model(
    request: pytest.FixtureRequest, tiny: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> Load:
    """Of each kind of memory; whoever comes is seen at the next node."""
    monkeypatch.setattr(loop, "YOUNG_LOOK_S", 0.0)
    return load(path=str(tiny[request.param]), prefill_chunk=CHUNK)


@pytest.fixture
def alone(model: Load) -> str:
    """What is answered if nobody comes."""
    with Rig().open(model) as rig:
        return rig.answer(LONG)[0]


def test_an_urgent_one_costs_the_other_nothing_but_time(model: Load, alone: str) -> None:
    with Rig().open(model) as rig:
        now = prompt("now", key="now", priority=0, max_tokens=2)
        frames = read(rig, LONG, lambda _: rig.say(now))
        assert done(frames, "now").completion_tokens == 2
        assert text(frames, "long") == alone
        sums = done(frames, "long")
        assert sums.finish_reason == "length"
        told = [frame for frame in frames if isinstance(frame, Prefill) and frame.key == "long"]
        assert told[-1].done == told[-1].total == sums.prompt_tokens


def test_whose_time_is_over_leaves_nothing_behind(model: Load) -> None:
    question = "is it warm " * 30
    with Rig().open(model) as rig:
        # They begin alike, so that the next one is read in the same pieces, and rounded so.
        rig.answer(prompt(question, max_tokens=2))
        after = rig.answer(LONG)[0]
    with Rig().open(model) as rig:
        overdue = prompt(question, within_s=3600.0, max_tokens=2)
        frames = read(rig, overdue, lambda run: setattr(run, "ends_at", 0.0))
        sums = done(frames)
        assert (sums.finish_reason, sums.completion_tokens) == ("deadline", 0)
        assert rig.answer(LONG)[0] == after
