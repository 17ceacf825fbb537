"""Errands of the scripted child: descriptors lent to it, answers owed by it, deaths in between."""

from __future__ import annotations

import asyncio
import os
import resource
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.events import EngineDied, EngineUp
from edged.engine.frames import Done, Failed, Learned, Message, Prefill, Saved
from edged.engine.life import Timeouts
from edged.engine.lifecycle import State
from tests.engine.harness import engine, prompt, script
from tests.rig.openfiles import open_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.engine.supervisor import Supervisor

pytestmark = pytest.mark.process

KEY = "prefix/butler"
BUTLER = (Message(role="system", content="you are a polite butler"),)
STALL = Timeouts(stall_s=0.5, quit_s=0.5)


def run(body: Any) -> None:
    asyncio.run(body)


@pytest.fixture
def memory() -> Iterator[int]:
    fd = os.memfd_create("state")
    yield fd
    os.close(fd)


def test_learn_is_answered_and_leaves_the_child_ready(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path, learn_ms=20)) as (supervisor, desk):
            supervisor.learn(KEY, BUTLER)
            assert supervisor.state is State.READY
            assert (await desk.until(Prefill)).key == KEY
            learned = await desk.until(Learned)
            assert (learned.key, learned.tokens, learned.cached) == (KEY, 5, 0)

    run(body())


def test_a_run_goes_before_an_errand_and_both_are_answered(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path, learn_ms=50, ms_per_token=5)) as (supervisor, desk):
            supervisor.submit(prompt())
            supervisor.learn(KEY, BUTLER)
            await desk.until(Done)
            assert supervisor.state is State.READY
            assert not any(isinstance(event, Learned) for event in desk.events)
            supervisor.submit(prompt(key="k2"))
            await desk.until(Learned)

    run(body())


def test_saved_bytes_come_back_in_another_life(tmp_path: Path, memory: int) -> None:
    async def body() -> None:
        async with engine(script(tmp_path)) as (supervisor, desk):
            supervisor.learn(KEY, BUTLER)
            await desk.until(Learned)
            supervisor.save(KEY, memory)
            size = (await desk.until(Saved)).size
            assert os.fstat(memory).st_size == size
            assert supervisor.pid is not None
            os.kill(supervisor.pid, 9)
            await desk.until(EngineUp)
            supervisor.restore(KEY, BUTLER, memory, 0, size)
            assert (await desk.until(Learned)).cached == 5

    run(body())


def test_each_errand_gets_the_descriptor_that_was_sent_for_it(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path)) as (supervisor, desk):
            files = [os.memfd_create(str(number)) for number in range(20)]
            before = open_files()
            for number, fd in enumerate(files):
                turn = (Message(role="system", content=f"persona number {number}"),)
                supervisor.learn(f"prefix/{number}", turn)
                supervisor.save(f"prefix/{number}", fd)
            for _ in files:
                await desk.until(Saved)
            assert open_files() == before, "none is kept"
            for number, fd in enumerate(files):
                turn = (Message(role="system", content=f"persona number {number}"),)
                supervisor.restore(f"prefix/{number}", turn, fd, 0, 4096)
                os.close(fd)  # it is the caller's, and was passed on already
            for _ in files:
                assert (await desk.until(Learned)).cached == 3

    run(body())


def test_a_descriptor_that_cannot_be_passed_on_fails_that_errand(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path)) as (supervisor, desk):
            supervisor.save(KEY, 10_000)
            failed = await desk.until(Failed)
            assert (failed.key, failed.code) == (KEY, "no_descriptor")
            supervisor.learn(KEY, BUTLER)
            await desk.until(Learned)

    run(body())


def test_a_child_that_takes_no_descriptors_costs_no_memory_and_no_patience(
    tmp_path: Path, memory: int
) -> None:
    """The side socket is full at some point, and a full one must not block the daemon."""

    async def body() -> None:
        faults = [{"at": "learn", "do": "hang", "times": 1}]
        async with engine(script(tmp_path, faults=faults, timeouts=STALL)) as (supervisor, desk):
            supervisor.learn(KEY, BUTLER)
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            for _ in range(2 * limit):
                supervisor.save(KEY, memory)
                if any(isinstance(event, Failed) for event in desk.events):
                    break
            assert (await desk.until(Failed)).code == "no_descriptor"
            assert (await desk.until(EngineDied)).reason == "stalled"
            await desk.until(EngineUp)
            supervisor.save(KEY, memory)
            assert (await desk.until(Failed)).code == "unknown", "the new life has a new socket"

    run(body())


def use(supervisor: Supervisor, fd: int) -> None:
    supervisor.learn(KEY, BUTLER)
    supervisor.save(KEY, fd)
    supervisor.restore(KEY, BUTLER, fd, 0, 1)
    supervisor.unlearn(KEY)


def test_errands_need_a_child(tmp_path: Path, memory: int) -> None:
    async def body() -> None:
        async with engine(script(tmp_path, load_ms=100), wait=False) as (supervisor, desk):
            use(supervisor, memory)
            codes = [event.code for event in desk.events if isinstance(event, Failed)]
            assert codes == ["engine_unavailable"] * 3
            await desk.until(EngineUp)
            supervisor.learn(KEY, BUTLER)
            await desk.until(Learned)

    run(body())


def test_other_keys_than_those_of_errands_are_the_callers_mistake(
    tmp_path: Path, memory: int
) -> None:
    async def body() -> None:
        async with engine(script(tmp_path)) as (supervisor, desk):
            for key in ("butler", "prefix/client\x1fid", "prefix/" + "x" * 2000):
                calls = (
                    partial(supervisor.learn, key, BUTLER),
                    partial(supervisor.save, key, memory),
                    partial(supervisor.restore, key, BUTLER, memory, 0, 1),
                    partial(supervisor.unlearn, key),
                )
                for call in calls:
                    with pytest.raises(ValueError, match=r"."):
                        call()
            assert not any(isinstance(event, Failed) for event in desk.events)

    run(body())


def test_what_is_unlearnt_spares_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path)) as (supervisor, desk):
            turns = (*BUTLER, Message(role="user", content="hello"))
            cached = []
            for step in ("nothing", "learn", "unlearn"):
                if step == "learn":
                    supervisor.learn(KEY, BUTLER)
                    await desk.until(Learned)
                elif step == "unlearn":
                    supervisor.unlearn(KEY)
                supervisor.submit(prompt(key=step, messages=turns))
                cached.append((await desk.until(Done)).cached_tokens)
            assert cached == [0, 5, 0]

    run(body())


def test_a_death_forgets_the_errands_and_does_not_blame_a_run(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "learn", "do": "signal", "value": "SIGSEGV", "token": 1, "times": 1}]
        async with engine(script(tmp_path, faults=faults)) as (supervisor, desk):
            supervisor.learn(KEY, BUTLER)
            died = await desk.until(EngineDied)
            assert (died.reason, died.during, died.runs) == ("SIGSEGV", "idle", ())
            await desk.until(EngineUp)
            supervisor.submit(prompt())
            await desk.until(Done)
            assert not any(isinstance(event, Learned | Failed) for event in desk.events)

    run(body())


def test_an_errand_that_hangs_is_a_stall_and_a_slow_one_is_not(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "learn", "do": "hang", "match": "polite", "times": 1}]
        limits = Timeouts(stall_s=1.3, quit_s=0.5)
        settings = script(tmp_path, faults=faults, learn_ms=4000, timeouts=limits)
        async with engine(settings) as (supervisor, desk):
            supervisor.learn("prefix/slow", (Message(role="system", content="be brief"),))
            assert (await desk.until(Learned)).key == "prefix/slow"
            supervisor.learn(KEY, BUTLER)
            assert (await desk.until(EngineDied)).reason == "stalled"

    run(body())


def test_news_of_an_errand_that_nobody_sent_is_a_lie(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "learn", "do": "unknown_errand", "times": 1}]
        async with engine(script(tmp_path, faults=faults)) as (supervisor, desk):
            supervisor.learn(KEY, BUTLER)
            died = await desk.until(EngineDied)
            assert (died.reason, died.message) == ("bad_frame", "Saved for what does not run")

    run(body())
