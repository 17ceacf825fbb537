"""Decisions, asked of the scripted child and of the real one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from edged.engine.frames import Delta, Done
from tests.engine.harness import CRAWL, ENDLESS, engine, prompt

if TYPE_CHECKING:
    from edged.engine.supervisor import Settings

pytestmark = pytest.mark.process

ROOMS = ("the light in the kitchen is now on", "seventeen", "seventeen elephants")


def test_each_choice_has_a_score_and_nothing_is_written(child: Settings) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            supervisor.submit(prompt("the light in the kitchen is now on?", choices=ROOMS))
            done = await desk.until(Done)
            assert (done.finish_reason, done.completion_tokens) == ("stop", 0)
            assert not any(isinstance(event, Delta) for event in desk.events)
            assert len(done.scores) == len(ROOMS)
            assert max(done.scores) == done.scores[0] <= 0.0
            assert done.prompt_tokens > 0
            assert 0.0 < done.prompt_ms <= done.ttft_ms

    asyncio.run(body())


def test_other_runs_have_no_scores(child: Settings) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            supervisor.submit(prompt(max_tokens=3))
            assert (await desk.until(Done)).scores == ()

    asyncio.run(body())


def test_an_urgent_decision_does_not_wait(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow) as (supervisor, desk):
            supervisor.pace(CRAWL)
            supervisor.submit(prompt(key="long", **ENDLESS))
            await desk.until(Delta)
            supervisor.submit(prompt(key="urgent", priority=0, choices=ROOMS))
            done = await desk.until(Done)
            assert (done.key, len(done.scores)) == ("urgent", len(ROOMS))
            supervisor.cancel("long")
            assert (await desk.until(Done)).finish_reason == "cancelled"

    asyncio.run(body())
