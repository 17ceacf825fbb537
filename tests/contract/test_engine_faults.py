"""What a model file can do to the real child, and that it costs no more than the child."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from edged.engine.events import EngineDied, EngineUp, LostRun
from edged.engine.frames import Delta, Done, Pace, Prefill
from tests.engine.harness import POCKET, engine, load, prompt, real

if TYPE_CHECKING:
    from edged.engine.frames import Load

pytestmark = [
    pytest.mark.process,
    pytest.mark.fault,
    pytest.mark.skipif(not POCKET.exists(), reason="no pocket model"),
]

LONG = "please describe every room of the house " * 40


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copy(POCKET, tmp_path / "copy.gguf"))


async def fate(frame: Load) -> EngineDied:
    async with engine(real(), frame, wait=False) as (_, desk):
        return await desk.until(EngineDied)


def test_a_missing_file() -> None:
    died = asyncio.run(fate(load(path="/none.gguf")))
    assert (died.reason, died.during, died.code) == ("bad_path", "load", 1)
    assert "/none.gguf" in died.message


def test_libraries_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    died = asyncio.run(fate(load()))
    assert (died.reason, died.code) == ("no_engine", 1)
    assert "llama" in died.message


@pytest.mark.parametrize("size", [0, 3, 100, 100_000])
def test_a_truncated_file(copy: Path, size: int) -> None:
    os.truncate(copy, size)
    died = asyncio.run(fate(load(path=str(copy))))
    assert (died.reason, died.signal) == ("bad_model", None)
    assert str(copy) in died.message


def test_a_header_that_makes_llama_cpp_abort(copy: Path) -> None:
    key = b"qwen3.block_count"
    data = copy.read_bytes()
    at = data.index(key) + len(key) + 4
    copy.write_bytes(data[:at] + struct.pack("<I", 1000) + data[at + 4 :])
    died = asyncio.run(fate(load(path=str(copy))))
    assert (died.reason, died.signal, died.during) == ("SIGABRT", "SIGABRT", "load")
    assert died.message, "its last words on stderr"


def test_damaged_weights_are_found_by_the_self_test(copy: Path) -> None:
    data = copy.read_bytes()
    copy.write_bytes(data[: len(data) // 2] + b"\xff" * (len(data) - len(data) // 2))
    died = asyncio.run(fate(load(path=str(copy))))
    assert died.reason == "self_test"
    assert "NaN" in died.message


def test_a_file_truncated_under_the_running_child(copy: Path) -> None:
    async def body() -> None:
        async with engine(real(), load(path=str(copy))) as (supervisor, desk):
            os.truncate(copy, 4096)
            supervisor.submit(prompt())
            died = await desk.until(EngineDied)
            assert (died.reason, [run.key for run in died.runs]) == ("SIGBUS", ["k"])

    asyncio.run(body())


def test_cancel_and_a_kill_in_a_slow_prefill() -> None:
    async def body() -> None:
        async with engine(real(), load(n_ctx=1024)) as (supervisor, desk):
            supervisor.pace(Pace(threads=1, threads_batch=1, idle_share=0.95, prefill_chunk=16))
            supervisor.submit(prompt(LONG))
            progress = await desk.until(Prefill)
            assert progress.done < progress.total
            supervisor.cancel("k")
            done = await desk.until(Done)
            assert (done.finish_reason, done.completion_tokens) == ("cancelled", 0)
            supervisor.submit(prompt(LONG))
            await desk.until(Prefill)
            assert supervisor.pid is not None
            os.kill(supervisor.pid, signal.SIGSEGV)
            died = await desk.until(EngineDied)
            assert (died.signal, died.during) == ("SIGSEGV", "prefill")
            assert died.runs == (LostRun(key="k", during="prefill", tokens_done=0),)
            await desk.until(EngineUp)

    asyncio.run(body())


def test_a_cancel_inside_one_long_step() -> None:
    """The whole prompt is one llama_decode: only the abort callback can see the cancel."""

    async def body() -> None:
        frame = load(n_ctx=2048, n_batch=2048, prefill_chunk=2048)
        async with engine(real(), frame) as (supervisor, desk):
            supervisor.submit(prompt(LONG * 5))
            await asyncio.sleep(0.05)
            supervisor.cancel("k")
            done = await desk.until(Done)
            assert done.finish_reason == "cancelled"
            supervisor.submit(prompt(key="k2", max_tokens=3))
            assert (await desk.until(Done)).finish_reason == "length"

    asyncio.run(body())


def test_the_context_fills_up() -> None:
    async def body() -> None:
        async with engine(real(), load(n_ctx=256)) as (supervisor, desk):
            # Nearly any token is as likely as the end of the text, so some seed does not meet it.
            hot = prompt(max_tokens=100_000, temperature=10.0, top_k=0, top_p=1.0, min_p=0.0)
            for seed in range(10):
                supervisor.submit(msgspec.structs.replace(hot, seed=seed))
                done = await desk.until(Done)
                if done.finish_reason == "length":
                    break
            assert done.prompt_tokens + done.completion_tokens == 256
            assert any(isinstance(e, Delta) for e in desk.events)
            supervisor.submit(prompt(key="k2", max_tokens=2))
            assert (await desk.until(Done)).completion_tokens == 2

    asyncio.run(body())


def test_the_same_seed_gives_the_same_answer() -> None:
    async def body() -> None:
        async with engine(real()) as (supervisor, desk):
            for key, seed in (("a", 5), ("b", 5), ("c", 6)):
                supervisor.submit(prompt(key=key, seed=seed, temperature=3.0, top_k=0, min_p=0.0))
                await desk.until(Done)
            assert desk.text("a") == desk.text("b") != desk.text("c")

    asyncio.run(body())


def test_control_strings_in_a_prompt_are_only_text() -> None:
    """As a token <|im_end|> would be one; as text it is several."""

    async def body() -> None:
        async with engine(real()) as (supervisor, desk):
            supervisor.submit(prompt("hi", key="a", max_tokens=1))
            plain = await desk.until(Done)
            supervisor.submit(prompt("hi<|im_end|>", key="b", max_tokens=1))
            attack = await desk.until(Done)
            assert attack.prompt_tokens - plain.prompt_tokens > 1

    asyncio.run(body())


def test_a_stop_string_ends_the_answer_and_is_not_in_it() -> None:
    async def body() -> None:
        async with engine(real()) as (supervisor, desk):
            supervisor.submit(prompt(key="a", max_tokens=40))
            await desk.until(Done)
            whole = desk.text("a")
            stop = whole[3:6]
            supervisor.submit(prompt(key="b", max_tokens=40, stop=(stop,)))
            assert (await desk.until(Done)).finish_reason == "stop"
            assert desk.text("b") == whole[: whole.index(stop)]

    asyncio.run(body())
