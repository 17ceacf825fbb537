"""The bare loop runs apart from the bench and can be told what to do again and again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from bench import asking, synthetic
from bench.bare_process import BareProcess, cpu_s
from bench.direct import Direct
from bench.mixes import MIXES
from bench.shapes import SHAPES
from bench.tasks import Settings, Task, render
from edged.engine.frames import Delta, Done, Load, Message

if TYPE_CHECKING:
    from pathlib import Path

HOUSE = "the house is cold and quiet"


@pytest.mark.process
def test_tasks_are_done_in_another_process(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    synthetic.write(model, SHAPES["tiny"], MIXES["2.70"])
    with BareProcess(model, Settings()) as bare:
        assert bare.pid != os.getpid()
        runs = [bare.run(Task(prompt="hello", tokens=8)) for _ in range(2)]
        assert cpu_s(bare.pid) > 0
    assert [run.tokens for run in runs] == [8, 8]
    assert runs[0].text == runs[1].text


@pytest.mark.process
def test_what_comes_before_is_read_once(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    synthetic.write(model, SHAPES["tiny"], MIXES["2.70"])
    with BareProcess(model, Settings()) as bare:
        whole = bare.run(Task(prompt="the house is cold" + " and quiet", tokens=8))
        before = "the house is cold"
        tails = [bare.run(Task(prompt=" and quiet", tokens=8, after=before)) for _ in range(2)]
        other = bare.run(Task(prompt=" and quiet", tokens=8))
    assert [tail.prompt_tokens for tail in tails] == [other.prompt_tokens] * 2
    assert whole.prompt_tokens > other.prompt_tokens
    assert [tail.text for tail in tails] == [whole.text] * 2
    assert other.text != whole.text


@pytest.mark.process
def test_a_worker_asked_greedily_writes_what_the_bare_loop_writes(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    synthetic.write(model, SHAPES["tiny"], MIXES["2.70"])
    _, payload = asking.request(HOUSE, 48)
    greedy = {name: json.loads(payload)[name] for name in ("temperature", "repeat_penalty", "seed")}
    load = Load(path=str(model), n_ctx=512, threads=1, threads_batch=1)
    with BareProcess(model, Settings(context=512)) as bare, Direct(load) as worker:
        alone = bare.run(Task(prompt=render(HOUSE), tokens=48))
        turn = Message(role="user", content=HOUSE)
        worker.say(worker.ask(turn, max_tokens=48, **greedy))
        text = ""
        while not isinstance(frame := worker.hear(), Done):
            text += frame.text if isinstance(frame, Delta) else ""
    assert frame.prompt_tokens == alone.prompt_tokens
    assert text == alone.text
