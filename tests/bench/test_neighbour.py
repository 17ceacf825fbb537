"""The parts of the neighbour bench: a counting neighbour, and a child timed through edged."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from bench import synthetic
from bench.busy import neighbour, neighbours
from bench.child import Engine, EngineError, Span
from bench.mixes import MIXES
from bench.neighbour import SETUPS, STEADY
from bench.pool_build import PINS, pinned
from bench.shapes import SHAPES
from edged.engine.frames import Load, Message

if TYPE_CHECKING:
    from pathlib import Path


def test_a_neighbour_computes_until_the_block_is_left() -> None:
    with neighbour() as busy:
        children = psutil.Process().children()
        time.sleep(0.1)
        assert busy.rate > 0
        busy.restart()
        time.sleep(0.1)
        assert busy.rate > 0
    assert not any(child.is_running() for child in children)


def test_there_are_as_many_neighbours_as_asked() -> None:
    before = len(psutil.Process().children())
    with neighbours(2) as busy:
        assert len(busy) == 2
        assert len(psutil.Process().children()) == before + 2
    with neighbours(0) as busy:
        assert busy == []
    assert len(psutil.Process().children()) == before


@pytest.mark.parametrize("argv", [None, STEADY])
def test_a_child_decodes_without_end_and_is_timed(
    tmp_path: Path, argv: tuple[str, ...] | None
) -> None:
    path = tmp_path / "m.gguf"
    synthetic.write(path, SHAPES["tiny"], MIXES["2.70"])
    load = Load(path=str(path), threads=1, threads_batch=1)
    words = Message(role="user", content="good morning")

    async def body() -> None:
        async with Engine(load, {"OMP_NUM_THREADS": "3"}, *([argv] if argv else [])) as engine:
            assert psutil.Process(engine.pid).environ()["OMP_NUM_THREADS"] == "3"
            async with engine.endless("good morning") as answer:
                first = await answer.span(0.05)
                second = await answer.span(0.05)
            assert first.tokens > 0
            assert second.seconds >= 0.05
            done = await engine.answer(words, max_tokens=5)
            assert done.completion_tokens == 5
            assert engine.ready.n_vocab == 512

    asyncio.run(body())
    assert "OMP_NUM_THREADS" not in os.environ


def test_a_child_that_cannot_load_is_no_bench(tmp_path: Path) -> None:
    async def body() -> None:
        async with Engine(Load(path=str(tmp_path / "absent.gguf"))):
            pytest.fail("it has no model")

    with pytest.raises(EngineError, match="died"):
        asyncio.run(body())


def test_a_span_has_a_rate() -> None:
    assert Span(tokens=10, seconds=0.5).tokens_per_second == 20
    assert Span(tokens=0, seconds=0.0).tokens_per_second == 0


def test_one_setup_is_what_is_shipped() -> None:
    assert [setup.environment for setup in SETUPS.values() if setup.shipped] == [{}]


def test_the_pool_is_built_from_the_pinned_version() -> None:
    pins = pinned(PINS.read_text())
    assert set(pins) == {"LLAMA_VERSION", "LLAMA_SHA256"}
    with pytest.raises(ValueError, match="LLAMA_VERSION"):
        pinned("nothing here")
