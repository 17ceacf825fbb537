"""F09 and F10: a child that hangs, and one that lies."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.events import EngineDied, EngineUp, LostRun
from edged.engine.frames import Delta, Done, Failed, Pace
from edged.engine.life import Timeouts
from edged.engine.lifecycle import State
from tests.engine.harness import Desk, alive, engine, prompt, script

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.fault]

IMPATIENT = Timeouts(stall_s=1.0, cancel_s=0.5, quit_s=0.5)


async def served_again(supervisor: Any, desk: Desk) -> None:
    await desk.until(EngineUp)
    supervisor.submit(prompt(key="again"))
    assert (await desk.until(Done)).key == "again"


@pytest.mark.parametrize("phase", ["load", "prefill", "decode"])
def test_a_hang_is_a_stall(tmp_path: Path, phase: str) -> None:
    async def body() -> None:
        faults = [{"at": phase, "do": "hang", "times": 1}]
        settings = script(tmp_path, faults=faults, timeouts=IMPATIENT)
        async with engine(settings, wait=False) as (supervisor, desk):
            if phase != "load":
                await desk.until(EngineUp)
                supervisor.submit(prompt())
            died = await desk.until(EngineDied)
            assert (died.reason, died.signal) == ("stalled", "SIGKILL")
            # Prefill is over only when the first token proves it.
            assert died.during == ("load" if phase == "load" else "prefill")
            await served_again(supervisor, desk)

    asyncio.run(body())


def test_a_hang_after_some_tokens(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "decode", "do": "hang", "token": 2, "times": 1}]
        settings = script(tmp_path, faults=faults, timeouts=IMPATIENT)
        async with engine(settings) as (supervisor, desk):
            supervisor.submit(prompt("a b c d"))
            died = await desk.until(EngineDied)
            assert died.during == "decode"
            assert died.runs == (LostRun(key="k", during="decode", tokens_done=2),)
            await served_again(supervisor, desk)

    asyncio.run(body())


def test_what_it_said_before_it_died_is_heard_though_more_was_on_the_way_to_it(
    tmp_path: Path,
) -> None:
    async def body() -> None:
        faults = [{"at": "decode", "do": "exit", "value": 3, "token": 3, "times": 1}]
        async with engine(script(tmp_path, faults=faults)) as (supervisor, desk):
            supervisor.submit(prompt("a b c d"))
            time.sleep(1.0)  # noqa: ASYNC251 - it dies before this loop reads or writes again
            supervisor.pace(Pace(threads=1, threads_batch=1))
            died = await desk.until(EngineDied)
            assert (died.reason, died.during) == ("exit 3", "decode")
            assert desk.text() == "a b c "
            await served_again(supervisor, desk)

    asyncio.run(body())


def test_cancel_of_a_stopped_process(tmp_path: Path) -> None:
    async def body() -> None:
        limits = Timeouts(stall_s=60.0, cancel_s=0.3)
        settings = script(tmp_path, ms_per_token=10, tokens=10_000, timeouts=limits)
        async with engine(settings) as (supervisor, desk):
            supervisor.submit(prompt(max_tokens=10_000))
            await desk.until(Delta)
            assert supervisor.pid is not None
            os.kill(supervisor.pid, signal.SIGSTOP)
            supervisor.cancel("k")
            died = await desk.until(EngineDied)
            assert (died.reason, [run.key for run in died.runs]) == ("stalled", ["k"])

    asyncio.run(body())


@pytest.mark.parametrize("phase", ["load", "prefill", "decode"])
def test_stop_while_it_hangs(tmp_path: Path, phase: str) -> None:
    async def body() -> None:
        settings = script(tmp_path, faults=[{"at": phase, "do": "hang"}], timeouts=IMPATIENT)
        async with engine(settings, wait=phase != "load") as (supervisor, desk):
            if phase != "load":
                supervisor.submit(prompt())
            await asyncio.sleep(0.2)
            pid = supervisor.pid
            await supervisor.stop()
            assert pid is None or not alive(pid)
            assert not any(isinstance(e, EngineDied) for e in desk.events)

    asyncio.run(body())


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        ("garbage", "bytes; allowed"),
        ("huge", "4294967295 bytes"),
        ("unknown_key", "Delta"),
        ("second_ready", "Ready while"),
        ("bad_field", "."),
    ],
)
@pytest.mark.parametrize("phase", ["load", "idle", "prefill", "decode"])
def test_a_lie_is_a_bad_frame(tmp_path: Path, lie: str, says: str, phase: str) -> None:
    if (lie, phase) == ("second_ready", "load"):
        says = "Ready while ready"

    async def body() -> None:
        faults = [{"at": phase, "do": lie, "times": 1}]
        async with engine(script(tmp_path, faults=faults), wait=False) as (supervisor, desk):
            if phase in {"prefill", "decode"}:
                await desk.until(EngineUp)
                supervisor.submit(prompt())
            died = await desk.until(EngineDied)
            assert died.reason == "bad_frame"
            assert says in died.message or says == "."
            await served_again(supervisor, desk)

    asyncio.run(body())


def test_half_a_frame_then_exit(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "decode", "do": "half", "token": 1, "times": 1}]
        async with engine(script(tmp_path, faults=faults)) as (supervisor, desk):
            supervisor.submit(prompt("a b c"))
            died = await desk.until(EngineDied)
            assert (died.reason, died.code) == ("bad_frame", 0)
            assert [run.tokens_done for run in died.runs] == [1]
            await served_again(supervisor, desk)

    asyncio.run(body())


def test_a_socket_closed_without_an_exit(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "idle", "do": "close", "times": 1}]
        async with engine(script(tmp_path, faults=faults)) as (supervisor, desk):
            died = await desk.until(EngineDied)
            assert died.signal == "SIGKILL"
            await served_again(supervisor, desk)

    asyncio.run(body())


def test_a_failed_run_leaves_the_child_alive(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "decode", "do": "fail", "value": "rc -1", "match": "bad"}]
        async with engine(script(tmp_path, faults=faults)) as (supervisor, desk):
            pid = supervisor.pid
            supervisor.submit(prompt("bad"))
            assert (await desk.until(Failed)).message == "rc -1"
            supervisor.submit(prompt("good"))
            await desk.until(Done)
            assert supervisor.pid == pid

    asyncio.run(body())


def test_a_million_lines_of_stderr_cost_no_memory(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "load", "do": "stderr", "value": 1_000_000}]
        limits = Timeouts(load_s=60.0, stall_s=60.0)
        settings = script(tmp_path, faults=faults, timeouts=limits)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        async with engine(settings) as (supervisor, desk):
            supervisor.submit(prompt())
            await desk.until(Done)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 16 * 1024, "KiB"
        assert len(desk.lines) < 500
        assert any("lines dropped" in line for line in desk.lines)

    asyncio.run(body())


def test_five_deaths_are_fatal_and_rearm_leaves_it(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "idle", "do": "signal", "value": "SIGSEGV", "times": 5}]
        async with engine(script(tmp_path, faults=faults), wait=False) as (supervisor, desk):
            deaths = [await desk.until(EngineDied) for _ in range(5)]
            assert [d.retry_in is None for d in deaths] == [False] * 4 + [True]
            assert supervisor.state is State.FATAL
            assert supervisor.pid is None
            supervisor.rearm()
            await served_again(supervisor, desk)

    asyncio.run(body())
