"""Measuring, asked of the scripted child and of the real one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.frames import Delta, Done, Failed, Measure, Measured
from edged.engine.lifecycle import State
from tests.engine.harness import CRAWL, ENDLESS, engine, prompt, script

if TYPE_CHECKING:
    from pathlib import Path

    from edged.engine.supervisor import Settings

pytestmark = pytest.mark.process

KEY = "measure/all"


def run(body: Any) -> None:
    asyncio.run(body)


def test_each_repetition_is_told(child: Settings) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            supervisor.measure(Measure(key=KEY, depth=64, pp=32, tg=4, repeat=3))
            assert supervisor.state is State.READY
            measured = await desk.until(Measured)
            assert (measured.key, len(measured.pp_ms), len(measured.tg_ms)) == (KEY, 3, 3)
            assert min(*measured.pp_ms, *measured.tg_ms) > 0

    run(body())


def test_a_context_has_an_end(child: Settings) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            supervisor.measure(Measure(key=KEY, depth=512, tg=1))
            failed = await desk.until(Failed)
            assert (failed.key, failed.code) == (KEY, "too_deep")

    run(body())


def test_it_waits_for_runs(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow) as (supervisor, desk):
            supervisor.pace(CRAWL)
            supervisor.submit(prompt(**ENDLESS))
            await desk.until(Delta)
            supervisor.measure(Measure(key=KEY, tg=1))
            for _ in range(3):
                await desk.until(Delta)
            supervisor.cancel("k")
            await desk.until(Done)
            await desk.until(Measured)
            kinds = [type(event) for event in desk.events]
            assert kinds.index(Done) < kinds.index(Measured)

    run(body())


def test_a_request_goes_first(child: Settings, tmp_path: Path) -> None:
    """What is measured would take minutes."""
    settings = child
    if child.argv[-1].endswith(".json"):
        settings = script(tmp_path, n_ctx=512, measure_ms=2000)

    async def body() -> None:
        async with engine(settings) as (supervisor, desk):
            supervisor.pace(CRAWL)
            supervisor.measure(Measure(key=KEY, pp=500, tg=500, repeat=64))
            await asyncio.sleep(0.2)
            supervisor.submit(prompt(max_tokens=1))
            failed = await desk.until(Failed)
            assert (failed.key, failed.code) == (KEY, "interrupted")
            assert (await desk.until(Done)).completion_tokens == 1

    run(body())


@pytest.mark.parametrize(
    "fields", [{"key": "k"}, {"key": "prefix/x"}, {"tg": -1}, {"repeat": 0}, {"threads": 65}]
)
def test_what_is_out_of_range_does_not_leave(child: Settings, fields: dict[str, Any]) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            with pytest.raises(ValueError, match=r"key|Expected"):
                supervisor.measure(Measure(**{"key": KEY, "tg": 1, **fields}))
            supervisor.measure(Measure(key=KEY, tg=1))
            await desk.until(Measured)

    run(body())
