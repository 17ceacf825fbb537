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
