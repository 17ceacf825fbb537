"""Runs side by side, asked of the scripted child and of the real one."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from edged.engine.events import EngineDied, EngineUp
from edged.engine.frames import Delta, Done, Pace
from tests.engine.harness import CRAWL, ENDLESS, engine, load, prompt

if TYPE_CHECKING:
    from edged.engine.supervisor import Settings, Supervisor
    from tests.engine.harness import Desk

pytestmark = pytest.mark.process

STREAMS = 3
KEYS = ("a", "b", "c")
PROMPTS = {
    "a": "turn on the light in the kitchen",
    "b": "is the window in the bathroom open",
    "c": "what is the temperature in the garage",
}


async def under_way(supervisor: Supervisor, desk: Desk) -> None:
    """Three endless runs, each with a token."""
    supervisor.pace(CRAWL)
    for key in KEYS:
        supervisor.submit(prompt(PROMPTS[key], key=key, **ENDLESS))
    missing = set(KEYS)
    while missing:
        missing.discard((await desk.until(Delta)).key)


def test_ready_tells_how_many(child: Settings) -> None:
    async def body() -> None:
        async with engine(child, load(streams=STREAMS)) as (_, desk):
            (up,) = (event for event in desk.events if isinstance(event, EngineUp))
            assert up.ready.streams == STREAMS

    asyncio.run(body())


def test_each_ends_with_its_own_text(child: Settings) -> None:
    async def body() -> None:
        async with engine(child, load(streams=STREAMS)) as (supervisor, desk):
            for key in KEYS:
                supervisor.submit(prompt(PROMPTS[key], key=f"{key} alone", max_tokens=5))
                await desk.until(Done)
            seen = len(desk.events)
            for key in KEYS:
                supervisor.submit(prompt(PROMPTS[key], key=key, max_tokens=5))
            ends = await desk.ends(*KEYS)
            for key, end in ends.items():
                assert isinstance(end, Done)
                assert desk.text(key) == desk.text(f"{key} alone") != ""
                deltas = [e for e in desk.events if isinstance(e, Delta) and e.key == key]
                assert sum(delta.tokens for delta in deltas) == end.completion_tokens
            assert len({desk.text(key) for key in KEYS}) == STREAMS
            events = [e for e in desk.events[seen:] if isinstance(e, Delta | Done)]
            first_end = next(n for n, event in enumerate(events) if isinstance(event, Done))
            assert {event.key for event in events[:first_end]} == set(KEYS), "side by side"

    asyncio.run(body())


def test_an_urgent_one_beyond_the_streams_is_served_first(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow, load(streams=STREAMS)) as (supervisor, desk):
            await under_way(supervisor, desk)
            supervisor.submit(prompt("now", key="urgent", priority=0, max_tokens=4))
            done = await desk.until(Done)
            assert (done.key, done.completion_tokens) == ("urgent", 4)
            # What follows the end is no part of it: the one that waited goes on.
            until = desk.events[: desk.events.index(done)]
            deltas = [event.key for event in until if isinstance(event, Delta)]
            first = deltas.index("urgent")
            others = [deltas[first:].count(key) for key in KEYS]
            assert min(others) == 0 < max(others), "one has waited, two went on"
            for key in KEYS:
                supervisor.cancel(key)
            ends = await desk.ends(*KEYS)
            assert {e.finish_reason for e in ends.values() if isinstance(e, Done)} == {"cancelled"}

    asyncio.run(body())


def test_one_that_waits_for_an_urgent_one_can_be_cancelled(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow) as (supervisor, desk):
            supervisor.pace(CRAWL)
            supervisor.submit(prompt(key="waits", **ENDLESS))
            await desk.until(Delta)
            supervisor.submit(prompt(key="urgent", priority=0, **ENDLESS))
            await desk.until(Delta, lambda delta: delta.key == "urgent")
            supervisor.cancel("waits")
            done = await desk.until(Done)
            assert (done.key, done.finish_reason) == ("waits", "cancelled")
            supervisor.cancel("urgent")
            assert (await desk.until(Done)).key == "urgent"

    asyncio.run(body())


def test_cancel_of_one_leaves_the_others_alone(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow, load(streams=STREAMS)) as (supervisor, desk):
            await under_way(supervisor, desk)
            supervisor.cancel("b")
            done = await desk.until(Done)
            assert (done.key, done.finish_reason) == ("b", "cancelled")
            for key in ("a", "c"):
                await desk.until(Delta, lambda delta, key=key: delta.key == key)  # type: ignore[misc]
            supervisor.pace(Pace(threads=1, threads_batch=1))
            supervisor.submit(prompt(key="next", max_tokens=3))
            assert (await desk.until(Done)).key == "next"

    asyncio.run(body())


@pytest.mark.fault
def test_a_death_takes_all_and_names_them(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow, load(streams=STREAMS)) as (supervisor, desk):
            await under_way(supervisor, desk)
            assert supervisor.pid is not None
            os.kill(supervisor.pid, signal.SIGSEGV)
            died = await desk.until(EngineDied)
            assert [run.key for run in died.runs] == list(KEYS)
            for run in died.runs:
                deltas = [e for e in desk.events if isinstance(e, Delta) and e.key == run.key]
                assert run.during == "decode"
                assert run.tokens_done == sum(delta.tokens for delta in deltas)
            await desk.until(EngineUp)
            supervisor.pace(Pace(threads=1, threads_batch=1))
            supervisor.submit(prompt(key="next", max_tokens=3))
            assert isinstance(await desk.outcome(), Done)

    asyncio.run(body())
