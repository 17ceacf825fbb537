"""Several runs in one scripted child: how they live, end, stall and die together."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.events import EngineDied, EngineUp, LostRun
from edged.engine.frames import Delta, Done, Failed
from edged.engine.life import Timeouts
from edged.engine.lifecycle import State
from tests.engine.harness import engine, prompt, script

if TYPE_CHECKING:
    from pathlib import Path

    from edged.engine.supervisor import Supervisor
    from tests.engine.harness import Desk

pytestmark = pytest.mark.process


def run(body: Any) -> None:
    asyncio.run(body)


def start(supervisor: Supervisor, *keys: str, **fields: Any) -> None:
    for key in keys:
        supervisor.submit(prompt(f"{key} one two three", key=key, **fields))


async def under_way(desk: Desk, *keys: str) -> None:
    """Return when each of these has a token."""
    missing = set(keys)
    while missing:
        missing.discard((await desk.until(Delta)).key)


def test_it_is_busy_until_the_last_one_ended(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path, streams=2, ms_per_token=5)) as (supervisor, desk):
            start(supervisor, "a", max_tokens=2)
            start(supervisor, "b", max_tokens=4)
            states = [supervisor.state]
            for key in ("a", "b"):
                assert (await desk.until(Done)).key == key
                states.append(supervisor.state)
            assert states == [State.BUSY, State.BUSY, State.READY]
            assert desk.text("b") == "b one two three "

    run(body())


def test_one_that_is_submitted_twice_runs_once(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path, ms_per_token=5)) as (supervisor, desk):
            start(supervisor, "a", "a")
            assert (await desk.until(Done)).completion_tokens == 4
            start(supervisor, "b")
            assert (await desk.until(Done)).key == "b"
            assert [e.key for e in desk.events if isinstance(e, Done | Failed)] == ["a", "b"]

    run(body())


def test_a_death_names_all_that_ran_and_how_far_they_were(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "decode", "do": "exit", "value": 3, "token": 2, "match": "b", "times": 1}]
        settings = script(tmp_path, streams=2, prefill_chunks=4, faults=faults)
        async with engine(settings) as (supervisor, desk):
            start(supervisor, "b", "late")
            died = await desk.until(EngineDied)
            assert (died.reason, died.during) == ("exit 3", "decode")
            first, second = died.runs
            assert first == LostRun(key="b", during="decode", tokens_done=2)
            assert second.key == "late"
            await desk.until(EngineUp)
            start(supervisor, "a", "late")
            assert len(await desk.ends("a", "late")) == 2

    run(body())


def test_cancel_ends_the_one_it_names(tmp_path: Path) -> None:
    async def body() -> None:
        settings = script(tmp_path, streams=3, ms_per_token=5, tokens=40)
        async with engine(settings) as (supervisor, desk):
            start(supervisor, "a", "b", "c", max_tokens=40)
            await under_way(desk, "a", "b", "c")
            supervisor.cancel("b")
            ends = await desk.ends("a", "b", "c")
            reasons = {k: e.finish_reason for k, e in ends.items() if isinstance(e, Done)}
            assert reasons == {"a": "length", "b": "cancelled", "c": "length"}

    run(body())


def test_a_hang_is_a_stall_however_much_is_submitted_meanwhile(tmp_path: Path) -> None:
    async def body() -> None:
        settings = script(tmp_path, streams=16, ms_per_token=10, timeouts=Timeouts(stall_s=0.5))
        async with engine(settings) as (supervisor, desk):
            start(supervisor, "a", max_tokens=10_000)
            await under_way(desk, "a")
            assert supervisor.pid is not None
            os.kill(supervisor.pid, signal.SIGSTOP)
            for number in range(8):
                start(supervisor, f"k{number}")
                await asyncio.sleep(0.2)
                if any(isinstance(event, EngineDied) for event in desk.events):
                    break
            died = await desk.until(EngineDied)
            assert died.reason == "stalled"
            assert 1 < len(died.runs) < 8
            assert died.runs[0].key == "a"

    run(body())


def test_progress_of_one_is_progress_of_all(tmp_path: Path) -> None:
    """A run that waits for a free stream says nothing for long."""

    async def body() -> None:
        settings = script(
            tmp_path, ms_per_token=20, tokens=50, timeouts=Timeouts(stall_s=0.3), streams=1
        )
        async with engine(settings) as (supervisor, desk):
            start(supervisor, "waits", max_tokens=1)
            start(supervisor, "urgent", max_tokens=50, priority=0)
            ends = await desk.ends("waits", "urgent")
            assert all(isinstance(end, Done) for end in ends.values())

    run(body())


def test_each_cancel_has_its_own_deadline(tmp_path: Path) -> None:
    async def body() -> None:
        limits = Timeouts(stall_s=20.0, cancel_s=0.8, quit_s=0.5)
        settings = script(
            tmp_path, streams=2, ms_per_token=5, tokens=100_000, ignore_cancel=True, timeouts=limits
        )
        async with engine(settings) as (supervisor, desk):
            start(supervisor, "a", max_tokens=30)
            start(supervisor, "b", max_tokens=100_000)
            await under_way(desk, "a", "b")
            supervisor.cancel("a")
            assert (await desk.until(Done)).finish_reason == "length", "it ended by itself"
            await asyncio.sleep(1.2)
            assert not any(isinstance(event, EngineDied) for event in desk.events)
            supervisor.cancel("b")
            died = await desk.until(EngineDied)
            assert (died.reason, died.message) == ("stalled", "it did not cancel")
            assert [run.key for run in died.runs] == ["b"]

    run(body())
