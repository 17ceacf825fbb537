"""A worker's answer is timed in seconds that it ran; the tiny model plays the whole one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from bench import synthetic
from bench.direct import Direct
from bench.mixes import MIXES
from bench.peer.prompts import count
from bench.peer.working import Working
from bench.shapes import SHAPES
from bench.tasks import render
from edged.engine.frames import Load, Message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STOOD_S = 1.5  # far longer than this model takes
PATIENCE_S = 60.0

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Direct]:
    path: Path = tmp_path_factory.mktemp("model") / "m.gguf"
    synthetic.write(path, SHAPES["tiny"], MIXES["2.70"])
    with Direct(Load(path=str(path), n_ctx=512, threads=1, threads_batch=1)) as direct:
        yield direct


def hello(text: str) -> Message:
    return Message(role="user", content=text)


def test_the_time_that_it_stood_still_is_not_its_own(worker: Direct) -> None:
    ours = Working(worker)
    ours.turns.halt()
    began = time.monotonic()
    ours.begin(worker.ask(hello("first"), max_tokens=9))
    assert not ours.over(STOOD_S)
    ours.turns.go()
    assert ours.over(PATIENCE_S)
    whole = time.monotonic() - began
    read_s = count(render("first")) / ours.read_tps
    assert 0 < read_s + 8 / ours.decode_tps < whole - STOOD_S


def test_one_answer_after_the_other_is_timed(worker: Direct) -> None:
    ours = Working(worker)
    for text in ("second", "third"):
        ours.begin(worker.ask(hello(text), max_tokens=5))
        assert ours.over(PATIENCE_S)
        assert ours.over(0.0)
        assert ours.read_tps > 0
        assert ours.decode_tps > 0


def test_nothing_is_told_of_an_answer_that_is_not_there(worker: Direct) -> None:
    with pytest.raises(ValueError, match="not answered"):
        _ = Working(worker).decode_tps
