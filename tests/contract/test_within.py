"""Answers that must end in time, asked of the scripted child and of the real one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from edged.engine.frames import Delta, Done, Failed, Pace, Prefill
from tests.engine.harness import CRAWL, ENDLESS, engine, load, prompt

if TYPE_CHECKING:
    from edged.engine.supervisor import Settings
    from tests.engine.harness import Desk

pytestmark = pytest.mark.process

SOON_S = 0.6
ROOMS = ("kitchen", "bathroom")


def planned(desk: Desk, key: str = "k") -> list[int | None]:
    return [e.planned for e in desk.events if isinstance(e, Prefill) and e.key == key]


def test_an_endless_answer_ends_in_time(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow) as (supervisor, desk):
            supervisor.pace(CRAWL)
            supervisor.submit(prompt(within_s=SOON_S, **ENDLESS))
            done = await desk.until(Done)
            assert done.finish_reason == "deadline"
            deltas = [e for e in desk.events if isinstance(e, Delta)]
            assert sum(delta.tokens for delta in deltas) == done.completion_tokens > 0
            assert desk.text()
            supervisor.pace(Pace(threads=1, threads_batch=1))
            supervisor.submit(prompt(key="next", max_tokens=3))
            assert (await desk.until(Done)).key == "next"

    asyncio.run(body())


def test_a_plan_is_told_before_anything_else(child: Settings) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            supervisor.submit(prompt(within_s=60.0, max_tokens=4))
            await desk.until(Done)
            first = next(e for e in desk.events if isinstance(e, Prefill | Delta))
            assert isinstance(first, Prefill)
            assert (first.planned, first.total) == (4, planned_total(desk))

    asyncio.run(body())


def planned_total(desk: Desk) -> int:
    (done,) = (e for e in desk.events if isinstance(e, Done))
    return done.prompt_tokens


def test_with_time_enough_nothing_is_different(child: Settings) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            supervisor.submit(prompt(key="free"))
            free = await desk.until(Done)
            supervisor.submit(prompt(key="timed", within_s=60.0))
            timed = await desk.until(Done)
            assert desk.text("timed") == desk.text("free")
            assert timed.finish_reason == free.finish_reason
            assert timed.completion_tokens == free.completion_tokens
            assert planned(desk, "free").count(None) == len(planned(desk, "free"))

    asyncio.run(body())


@pytest.mark.parametrize("choices", [(), ROOMS])
def test_without_any_time_it_is_refused(slow: Settings, choices: tuple[str, ...]) -> None:
    async def body() -> None:
        async with engine(slow) as (supervisor, desk):
            supervisor.submit(prompt(within_s=0.0, choices=choices))
            end = await desk.outcome()
            # A child that has nothing to read may take it, and end it at once.
            if isinstance(end, Failed):
                assert end.code == "too_late"
                assert "0.0 s are left" in end.message
            else:
                assert isinstance(end, Done)
                assert (end.finish_reason, end.completion_tokens) == ("deadline", 0)
            supervisor.submit(prompt(key="next", max_tokens=1))
            assert (await desk.until(Done)).key == "next"

    asyncio.run(body())


def test_who_waits_for_an_urgent_one_ends_in_time(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow) as (supervisor, desk):
            supervisor.pace(CRAWL)
            supervisor.submit(prompt(key="waits", within_s=SOON_S, **ENDLESS))
            await desk.until(Prefill)
            supervisor.submit(prompt(key="urgent", priority=0, **ENDLESS))
            done = await desk.until(Done)
            assert (done.key, done.finish_reason) == ("waits", "deadline")
            supervisor.cancel("urgent")
            assert (await desk.until(Done)).key == "urgent"

    asyncio.run(body())


def test_a_decision_in_time_has_its_scores(child: Settings) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            supervisor.submit(prompt("kitchen or bathroom", choices=ROOMS, within_s=60.0))
            done = await desk.until(Done)
            assert (done.finish_reason, len(done.scores)) == ("stop", 2)
            assert set(planned(desk)) == {None}, "nothing is written"

    asyncio.run(body())


def test_json_that_is_cut_is_not_held_back(slow: Settings) -> None:
    async def body() -> None:
        schema = '{"type":"array","items":{"type":"string","minLength":150},"minItems":20}'
        async with engine(slow) as (supervisor, desk):
            supervisor.pace(CRAWL)
            supervisor.submit(prompt(schema=schema, within_s=SOON_S, **ENDLESS))
            done = await desk.until(Done)
            assert done.finish_reason == "deadline"
            assert desk.text().lstrip().startswith("[")

    asyncio.run(body())


def test_two_of_them_side_by_side(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow, load(streams=2)) as (supervisor, desk):
            supervisor.pace(CRAWL)
            supervisor.submit(prompt("one", key="later", within_s=2 * SOON_S, **ENDLESS))
            supervisor.submit(prompt("two", key="sooner", within_s=SOON_S, **ENDLESS))
            first, second = await desk.until(Done), await desk.until(Done)
            assert [first.key, second.key] == ["sooner", "later"]
            assert {first.finish_reason, second.finish_reason} == {"deadline"}

    asyncio.run(body())
