"""Learning, saving and restoring prefixes, asked of the scripted child and of the real one."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from edged.engine.frames import Delta, Done, Failed, Learned, Message, Saved
from edged.engine.lifecycle import State
from tests.engine.harness import CRAWL, ENDLESS, engine, prompt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.engine.frames import Generate
    from edged.engine.supervisor import Settings, Supervisor
    from tests.engine.harness import Desk

pytestmark = pytest.mark.process

KEY = "prefix/butler"
BUTLER = (Message(role="system", content="You are a polite butler who answers in few words."),)
HEADER = b"what the daemon writes before the state"


def asked(key: str = "k") -> Generate:
    """A prompt that begins with the persona."""
    turn = Message(role="user", content="turn on the light")
    return prompt(key=key, messages=(*BUTLER, turn), max_tokens=4)


@contextmanager
def memory(content: bytes = b"", size: int = 0) -> Iterator[int]:
    """The descriptor of a memory file."""
    fd = os.memfd_create("state")
    try:
        os.pwrite(fd, content, 0)
        os.ftruncate(fd, max(size, len(content)))
        yield fd
    finally:
        os.close(fd)


async def learn(supervisor: Supervisor, desk: Desk) -> Learned:
    supervisor.learn(KEY, BUTLER)
    return await desk.until(Learned)


async def saved(settings: Settings) -> tuple[Learned, bytes]:
    """Learn it in one life; what it was and its state."""
    async with engine(settings) as (supervisor, desk):
        learned = await learn(supervisor, desk)
        with memory(size=learned.state_bytes) as fd:
            supervisor.save(KEY, fd)
            size = (await desk.until(Saved)).size
            assert 0 < size <= learned.state_bytes
            return learned, os.pread(fd, size, 0)


def test_what_is_learnt_is_not_read_again(child: Settings) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            learned = await learn(supervisor, desk)
            assert (learned.key, learned.cached) == (KEY, 0)
            assert learned.state_bytes > 0
            assert supervisor.state is State.READY
            supervisor.submit(asked())
            done = await desk.until(Done)
            assert 0 < learned.tokens <= done.cached_tokens < done.prompt_tokens

    asyncio.run(body())


def test_learning_waits_for_runs_and_is_done_all_the_same(slow: Settings) -> None:
    async def body() -> None:
        async with engine(slow) as (supervisor, desk):
            supervisor.pace(CRAWL)
            supervisor.submit(prompt(**ENDLESS))
            await desk.until(Delta)
            supervisor.learn(KEY, BUTLER)
            for _ in range(5):
                await desk.until(Delta)
            supervisor.cancel("k")
            await desk.until(Done)
            assert (await desk.until(Learned)).key == KEY
            kinds = [type(event) for event in desk.events]
            assert kinds.index(Done) < kinds.index(Learned)

    asyncio.run(body())


def test_what_is_unlearnt_may_be_learnt_anew(child: Settings) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            for _ in range(2):
                learned = await learn(supervisor, desk)
                supervisor.unlearn(KEY)
                supervisor.unlearn("prefix/unknown")
            assert learned.tokens > 0
            with memory(size=learned.state_bytes) as fd:
                supervisor.save(KEY, fd)
                failed = await desk.until(Failed)
            assert (failed.key, failed.code) == (KEY, "unknown")

    asyncio.run(body())


def test_a_prefix_as_long_as_the_context_is_refused(child: Settings) -> None:
    async def body() -> None:
        async with engine(child) as (supervisor, desk):
            supervisor.learn(KEY, (Message(role="system", content="word " * 3000),))
            failed = await desk.until(Failed)
            assert (failed.key, failed.code) == (KEY, "prompt_too_long")
            supervisor.submit(asked())
            await desk.until(Done)

    asyncio.run(body())


def test_a_saved_state_spares_a_new_child_the_reading(child: Settings) -> None:
    async def body() -> None:
        before, state = await saved(child)
        async with engine(child) as (supervisor, desk):
            with memory(HEADER + state) as fd:
                supervisor.restore(KEY, BUTLER, fd, len(HEADER), len(state))
            learned = await desk.until(Learned)
            assert learned.tokens == learned.cached == before.tokens
            supervisor.submit(asked())
            done = await desk.until(Done)
            assert before.tokens <= done.cached_tokens < done.prompt_tokens
            with memory(size=learned.state_bytes) as fd:
                supervisor.save(KEY, fd)
                assert os.pread(fd, (await desk.until(Saved)).size, 0) == state

    asyncio.run(body())


def test_a_restored_prefix_answers_as_a_learnt_one(child: Settings) -> None:
    async def body() -> None:
        _, state = await saved(child)
        async with engine(child) as (supervisor, desk):
            supervisor.submit(asked("cold"))
            await desk.until(Done)
        cold = desk.text("cold")
        async with engine(child) as (supervisor, desk):
            with memory(state) as fd:
                supervisor.restore(KEY, BUTLER, fd, 0, len(state))
            await desk.until(Learned)
            supervisor.submit(asked("warm"))
            await desk.until(Done)
            assert desk.text("warm") == cold != ""

    asyncio.run(body())


@pytest.mark.fault
@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "other tokens"])
def test_a_damaged_state_is_refused_and_the_child_lives(child: Settings, damage: str) -> None:
    async def body() -> None:
        _, state = await saved(child)
        bad = {
            "cut": state[: len(state) // 2],
            "empty": b"",
            "noise": b"\xa5" * len(state),
            "other tokens": state[:4] + bytes(4) + state[8:],
        }[damage]
        async with engine(child) as (supervisor, desk):
            pid = supervisor.pid
            with memory(HEADER + bad) as fd:
                supervisor.restore(KEY, BUTLER, fd, len(HEADER), len(bad))
            failed = await desk.until(Failed)
            assert (failed.key, failed.code) == (KEY, "bad_state")
            with memory(HEADER + bad) as fd:
                supervisor.restore(KEY, BUTLER, fd, len(HEADER), len(state) + 1)
            assert (await desk.until(Failed)).code == "bad_state"
            supervisor.submit(asked())
            assert (await desk.until(Done)).cached_tokens == 0
            assert supervisor.pid == pid

    asyncio.run(body())
