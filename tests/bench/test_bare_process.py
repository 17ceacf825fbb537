"""The bare loop runs apart from the bench and can be told what to do again and again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bench import synthetic
from bench.bare_process import BareProcess, cpu_s
from bench.mixes import MIXES
from bench.shapes import SHAPES
from bench.tasks import Settings, Task

if TYPE_CHECKING:
    from pathlib import Path


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
