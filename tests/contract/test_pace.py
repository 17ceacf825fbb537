"""Pace, asked of the scripted child and of the real one: evenly, within a token, and free again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from edged.engine.events import EngineUp
from edged.engine.frames import Delta, Done, Effort, Pace
from edged.engine.worker.cadence import CATCH_UP
from tests.engine.harness import ENDLESS, Desk, engine, load, prompt

if TYPE_CHECKING:
    from edged.engine.supervisor import Settings

pytestmark = pytest.mark.process

TPS = 10.0
PACED = Pace(threads=1, threads_batch=1, decode_tps=TPS)
HARDLY = Pace(threads=1, threads_batch=1, decode_tps=0.1)
FREE = Pace(threads=1, threads_batch=1)
CLOCK_S = 0.3  # the first one may be heard of so much later than sent, on a board busy with others


async def stamps(desk: Desk, count: int, key: str = "k") -> list[float]:
    """When each of the next tokens of that run was heard of."""
    now = asyncio.get_running_loop().time
    times: list[float] = []
    while len(times) < count:
        delta = await desk.until(Delta, lambda delta: delta.key == key)
        times += [now()] * delta.tokens
    return times


def assert_never_ahead(times: list[float], tps: float) -> None:
    """However slow the board is, no token may come before it is due by the first one's count."""
    for count, time in enumerate(times):
        assert time - times[0] >= (count - CATCH_UP) / tps - CLOCK_S, f"token {count} is early"


def test_a_paced_answer_comes_token_by_token_and_never_ahead(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow) as (supervisor, desk):
            supervisor.pace(PACED)
            supervisor.submit(prompt(**ENDLESS))
            assert_never_ahead(await stamps(desk, 12), TPS)
            deltas = [event for event in desk.events if isinstance(event, Delta)]
            assert [delta.tokens for delta in deltas] == [1] * len(deltas), "none waits for another"

    asyncio.run(body())


def test_a_pace_takes_effect_in_the_middle_of_an_answer_and_ends_there(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow) as (supervisor, desk):
            supervisor.submit(prompt(**ENDLESS))
            await stamps(desk, 5)
            supervisor.pace(HARDLY)
            await desk.until(Effort, lambda effort: effort.decodes == 0)
            counted = sum(event.tokens for event in desk.events if isinstance(event, Delta))
            await desk.until(Effort, lambda effort: effort.decodes == 0)
            now = sum(event.tokens for event in desk.events if isinstance(event, Delta))
            assert now == counted, "one more would have been due in ten seconds"
            supervisor.pace(FREE)
            began = asyncio.get_running_loop().time()
            times = await stamps(desk, 20)
            assert times[-1] - began < 20 / TPS, "what takes seconds at the pace takes none"

    asyncio.run(body())


def test_a_cancel_and_a_newcomer_are_heard_while_it_rests(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow, load(streams=2)) as (supervisor, desk):
            supervisor.pace(HARDLY)
            supervisor.submit(prompt(**ENDLESS))
            await stamps(desk, 1)
            supervisor.submit(prompt("is it warm", key="other", max_tokens=1))
            assert (await desk.until(Done)).key == "other"
            supervisor.cancel("k")
            assert (await desk.until(Done)).finish_reason == "cancelled"
            tokens = [event for event in desk.events if isinstance(event, Delta)]
            assert len(tokens) <= 4

    asyncio.run(body())


def test_each_stream_has_the_cap_for_itself(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow, load(streams=2)) as (supervisor, desk):
            supervisor.pace(PACED)
            for key in "ab":
                supervisor.submit(prompt(f"is it warm {key}", key=key, **ENDLESS))
            await stamps(desk, 2, "a")
            await stamps(desk, 2, "b")
            seen = len(desk.events)
            times = await stamps(desk, 10, "a")
            assert_never_ahead(times, TPS)
            others = [e for e in desk.events[seen:] if isinstance(e, Delta) and e.key == "b"]
            assert 8 <= sum(delta.tokens for delta in others) <= 12

    asyncio.run(body())


def test_effort_tells_what_it_could_do_from_what_it_does(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow) as (supervisor, desk):
            supervisor.pace(PACED)
            supervisor.submit(prompt(**ENDLESS))
            await desk.until(Effort)
            effort = await desk.until(Effort)
            assert effort.decoding == effort.threads == 1
            assert 0 < effort.busy_ms < effort.wall_ms
            assert effort.core_ms == pytest.approx(effort.busy_ms)
            assert 0 < effort.tokens == effort.decodes <= effort.wall_ms / 1e3 * TPS + 1 + CATCH_UP
            possible = effort.decodes / effort.decode_ms * 1e3
            assert possible > 1.5 * TPS, "one is paced by less than half of what it could"

    asyncio.run(body())


def test_an_idle_child_says_nothing(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow) as (supervisor, desk):
            supervisor.submit(prompt(max_tokens=2))
            await desk.until(Done)
            seen = len(desk.events)
            await asyncio.sleep(1.5)
            assert desk.events[seen:] == []

    asyncio.run(body())


def test_a_pace_outlives_the_child(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow) as (supervisor, desk):
            supervisor.pace(PACED)
            await supervisor.change(load())
            await desk.until(EngineUp)
            supervisor.submit(prompt(**ENDLESS))
            assert_never_ahead(await stamps(desk, 8), TPS)

    asyncio.run(body())
