"""The supervisor over the scripted child; what holds for the real one too is in tests/contract."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edged.clock import SystemClock
from edged.engine.child import MAX_UNSENT_BYTES
from edged.engine.events import EngineDied, EngineUp
from edged.engine.frames import Delta, Done, Failed, Loading, Message, Pace, Prefill
from edged.engine.life import Timeouts
from edged.engine.lifecycle import IllegalTransitionError, Policy, State
from edged.engine.supervisor import Settings, Supervisor
from tests.engine.harness import Desk, alive, engine, load, orphan, prompt, script

pytestmark = pytest.mark.process

STALL = Timeouts(stall_s=1.0, cancel_s=0.5, quit_s=0.5)


def run(body: Any) -> None:
    asyncio.run(body)


def test_a_request_goes_through_every_phase(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path, prefill_chunks=2)) as (supervisor, desk):
            supervisor.submit(prompt("one two three"))
            done = await desk.until(Done)
            assert desk.text() == "one two three "
            assert (done.finish_reason, done.prompt_tokens, done.completion_tokens) == (
                "stop",
                3,
                3,
            )
            assert supervisor.state is State.READY
            kinds = [type(event) for event in desk.events]
            assert kinds == [Loading, EngineUp, Prefill, Prefill, Delta, Delta, Delta, Done]

    run(body())


def test_a_bad_number_is_the_callers_error_and_sends_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path)) as (supervisor, desk):
            for bad in (prompt(temperature=-1.0), prompt(max_tokens=0), prompt("\ud800")):
                with pytest.raises(ValueError, match=r"."):
                    supervisor.submit(bad)
            with pytest.raises(ValueError, match="threads"):
                supervisor.pace(Pace(threads=0, threads_batch=1))
            assert supervisor.state is State.READY
            supervisor.submit(prompt())
            await desk.until(Done)

    run(body())


def test_submit_while_not_ready_fails_that_request_only(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path, load_ms=50), wait=False) as (supervisor, desk):
            supervisor.submit(prompt())
            assert (await desk.until(Failed)).code == "engine_unavailable"
            await desk.until(EngineUp)
            supervisor.submit(prompt())
            assert (await desk.until(Done)).key == "k"

    run(body())


def test_start_twice_is_illegal_and_stop_is_idempotent(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path)) as (supervisor, desk):
            with pytest.raises(IllegalTransitionError):
                supervisor.start()
            with pytest.raises(IllegalTransitionError):
                supervisor.rearm()
            await asyncio.gather(supervisor.stop(), supervisor.stop())
            await supervisor.stop()
            assert supervisor.pid is None
            supervisor.start()
            await desk.until(EngineUp)

    run(body())


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 50])
def test_stop_right_after_start(tmp_path: Path, turns: int) -> None:
    async def body() -> None:
        async with engine(script(tmp_path, load_ms=300), wait=False) as (supervisor, desk):
            for _ in range(turns):
                await asyncio.sleep(0)
            await supervisor.stop()
            assert supervisor.state is State.STOPPED
            assert desk.events == []

    run(body())


def test_cancel_of_another_key_is_ignored(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path, ms_per_token=1)) as (supervisor, desk):
            supervisor.cancel("k")
            supervisor.submit(prompt())
            supervisor.cancel("other")
            assert (await desk.until(Done)).finish_reason == "stop"

    run(body())


def test_a_child_that_ignores_cancel_is_killed(tmp_path: Path) -> None:
    async def body() -> None:
        settings = script(
            tmp_path, ignore_cancel=True, ms_per_token=20, tokens=10_000, timeouts=STALL
        )
        async with engine(settings) as (supervisor, desk):
            supervisor.submit(prompt(max_tokens=10_000))
            await desk.until(Delta)
            supervisor.cancel("k")
            supervisor.cancel("k")
            died = await desk.until(EngineDied)
            assert (died.reason, died.message, died.signal) == (
                "stalled",
                "it did not cancel",
                "SIGKILL",
            )
            await desk.until(EngineUp)

    run(body())


def test_load_failed_names_its_reason_and_becomes_fatal(tmp_path: Path) -> None:
    async def body() -> None:
        settings = script(tmp_path, load_failed=("bad_model", "no magic"))
        async with engine(settings, wait=False) as (supervisor, desk):
            deaths = [await desk.until(EngineDied) for _ in range(5)]
            assert {(d.reason, d.message, d.during, d.code) for d in deaths} == {
                ("bad_model", "no magic", "load", 1)
            }
            retries = [d.retry_in for d in deaths]
            assert retries == [0.01, 0.02, 0.04, 0.05, None]
            assert supervisor.state is State.FATAL
            supervisor.submit(prompt())
            assert (await desk.until(Failed)).code == "engine_unavailable"
            supervisor.rearm()
            assert (await desk.until(EngineDied)).retry_in == 0.01

    run(body())


def test_a_program_that_cannot_be_executed_is_a_death(tmp_path: Path) -> None:
    async def body() -> None:
        settings = Settings(argv=(str(tmp_path / "none"),), policy=Policy(first_s=30.0))
        async with engine(settings, wait=False) as (supervisor, desk):
            died = await desk.until(EngineDied)
            assert (died.reason, died.signal, died.code, died.during) == (
                "spawn",
                None,
                None,
                "load",
            )
            assert supervisor.state is State.BACKOFF
            supervisor.rearm()
            await desk.until(EngineDied)

    run(body())


def test_load_timeout(tmp_path: Path) -> None:
    async def body() -> None:
        limits = Timeouts(load_s=0.3, stall_s=10.0)
        async with engine(script(tmp_path, load_ms=60_000, timeouts=limits), wait=False) as (
            _,
            desk,
        ):
            died = await desk.until(EngineDied)
            assert (died.reason, died.during, died.signal) == ("load_timeout", "load", "SIGKILL")

    run(body())


def test_progress_of_any_kind_keeps_a_slow_child_alive(tmp_path: Path) -> None:
    async def body() -> None:
        settings = script(
            tmp_path,
            prefill_ms=900,
            prefill_chunks=30,
            ms_per_token=20,
            tokens=40,
            timeouts=Timeouts(stall_s=0.5),
        )
        async with engine(settings) as (supervisor, desk):
            supervisor.submit(prompt(max_tokens=40))
            assert isinstance(await desk.outcome(), Done)

    run(body())


def test_frames_read_late_prove_progress(tmp_path: Path) -> None:
    """The daemon itself was stopped: the deadline passed, but the proof is in the socket."""

    async def body() -> None:
        settings = script(tmp_path, ms_per_token=10, tokens=150, timeouts=STALL)
        async with engine(settings) as (supervisor, desk):
            supervisor.submit(prompt(max_tokens=150))
            await desk.until(Delta)
            time.sleep(1.3)  # noqa: ASYNC251 - blocking the loop is the point
            assert isinstance(await desk.outcome(), Done)

    run(body())


def test_an_idle_child_needs_no_progress(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path, timeouts=STALL)) as (supervisor, desk):
            await asyncio.sleep(1.5)
            supervisor.submit(prompt())
            await desk.until(Done)

    run(body())


def test_pace_reaches_the_next_life_too(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "decode", "do": "exit", "value": 3, "times": 1}]
        async with engine(script(tmp_path, ms_per_token=5, faults=faults)) as (supervisor, desk):
            supervisor.pace(Pace(threads=1, threads_batch=1, idle_share=0.9))
            supervisor.submit(prompt("a b c d"))
            assert (await desk.until(EngineDied)).reason == "exit 3"
            await desk.until(EngineUp)
            supervisor.submit(prompt("a b c d"))
            assert (await desk.until(Done)).predicted_ms >= 4 * 5 * 10

    run(body())


def test_a_child_that_does_not_read_is_killed_before_memory_grows(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "idle", "do": "hang", "times": 1}]
        async with engine(script(tmp_path, faults=faults)) as (supervisor, desk):
            largest = Message(role="user", content="x" * 250_000)
            count = MAX_UNSENT_BYTES // 1_000_000 + 2
            for _ in range(count):
                supervisor.learn("prefix/big", (largest,) * 4)
            died = await desk.until(EngineDied)
            assert (died.reason, died.message) == ("stalled", "it does not read its socket")
            await desk.until(EngineUp)

    run(body())


def test_stderr_is_forwarded_at_debug(tmp_path: Path) -> None:
    async def body() -> None:
        faults = [{"at": "idle", "do": "stderr", "value": 1000}]
        async with engine(script(tmp_path, faults=faults)) as (supervisor, desk):
            supervisor.submit(prompt())
            await desk.until(Done)
        assert "a line on stderr that nobody asked for" in desk.lines
        assert len(desk.lines) < 100

    run(body())


def test_without_a_log_stderr_goes_nowhere(tmp_path: Path) -> None:
    async def body() -> None:
        desk = Desk()
        faults = [{"at": "idle", "do": "stderr", "value": 1000}]
        supervisor = Supervisor(load(), desk.post, SystemClock(), script(tmp_path, faults=faults))
        supervisor.start()
        await desk.until(EngineUp)
        await supervisor.stop()

    run(body())


def test_the_child_protects_itself(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path)) as (supervisor, _):
            proc = Path(f"/proc/{supervisor.pid}")
            limits = (proc / "limits").read_text()
            assert "Max core file size        0                    0 " in limits
            assert (proc / "oom_score_adj").read_text() == "800\n"
            assert (proc / "fd/0").readlink() == Path("/dev/null")
            names = {v.split(b"=")[0] for v in (proc / "environ").read_bytes().split(b"\0") if v}
            assert b"HOME" not in names
            # 0-2, the two sockets, and nothing of the daemon's.
            assert len(list((proc / "fd").iterdir())) == 5

    run(body())


def slice_ns(pid: int) -> int:
    """What sched_getattr says: 0 where a kernel knows none, or for a kind of machine we do not."""
    number = {"x86_64": 315, "aarch64": 275}.get(os.uname().machine)
    attributes = ctypes.create_string_buffer(48)
    if number is None or ctypes.CDLL(None).syscall(number, pid, attributes, 48, 0) != 0:
        return 0
    return int.from_bytes(attributes.raw[24:32], sys.byteorder)


@pytest.mark.skipif(not slice_ns(os.getpid()), reason="this kernel gives no slices by wish")
def test_the_child_lets_those_who_wake_go_first(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path)) as (supervisor, _):
            assert supervisor.pid is not None
            assert slice_ns(supervisor.pid) > 2 * slice_ns(os.getpid())

    run(body())


def test_the_child_dies_with_a_killed_parent_even_if_it_hangs(tmp_path: Path) -> None:
    run(orphan(script(tmp_path, faults=[{"at": "idle", "do": "hang"}]).argv))


def test_another_model_takes_the_place_of_the_present_one(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(script(tmp_path)) as (supervisor, desk):
            first = supervisor.pid
            await supervisor.change(load(n_ctx=1024))
            up = await desk.until(EngineUp)
            assert up.load.n_ctx == 1024
            assert first is not None
            assert supervisor.pid != first
            assert not alive(first)
            supervisor.submit(prompt())
            await desk.until(Done)
            assert not [event for event in desk.events if isinstance(event, EngineDied)]

    run(body())


def test_a_change_forgives_deaths_and_a_bad_load_changes_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        settings = script(tmp_path, load_failed=("no_model", "broken"))
        async with engine(settings, wait=False) as (supervisor, desk):
            await desk.until(EngineDied, lambda died: died.retry_in is None)
            assert supervisor.state is State.FATAL
            with pytest.raises(ValueError, match="n_ctx"):
                await supervisor.change(load(n_ctx=0))
            assert supervisor.state is State.FATAL
            script(tmp_path)
            await supervisor.change(load())
            assert (await desk.until(EngineUp)).load.n_ctx == 512

    run(body())
