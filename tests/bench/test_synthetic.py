"""Made-up models load in llama.cpp, answer with finite numbers, and never end by themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from bench import synthetic
from bench.bare import Bare, main
from bench.mixes import MIXES
from bench.shapes import SHAPES, plan
from bench.tasks import Settings, Task, render

if TYPE_CHECKING:
    from pathlib import Path

TOKENS = 64


def make(folder: Path, shape: str, mix: str = "2.70", seed: int = 0) -> Path:
    out = folder / f"{shape}-{mix}-{seed}.gguf"
    synthetic.write(out, SHAPES[shape], MIXES[mix], seed=seed)
    return out


@pytest.mark.parametrize("shape", ["tiny", "tiny-dense", "tiny-mamba2", "tiny-hybrid"])
@pytest.mark.parametrize("mix", MIXES)
def test_a_model_loads_and_its_logits_are_finite(tmp_path: Path, shape: str, mix: str) -> None:
    bare = Bare(make(tmp_path, shape, mix), Settings())
    logits = bare.logits(render("How warm is the bath?"))
    bare.close()
    assert len(logits) == SHAPES[shape].vocabulary
    assert all(map(math.isfinite, logits))
    assert max(logits) > min(logits)


def test_an_answer_is_as_long_as_asked_and_the_same_each_time(tmp_path: Path) -> None:
    bare = Bare(make(tmp_path, "tiny"), Settings(chunk=16))
    task = Task(prompt=render("Good morning"), tokens=TOKENS)
    first, second = bare.run(task), bare.run(task)
    bare.close()
    assert first.tokens == second.tokens == TOKENS
    assert first.text == second.text
    assert first.ttft_ms > 0
    assert first.tokens_per_second == pytest.approx((TOKENS - 1) / first.span_ms * 1e3)


def test_marks_of_the_template_are_single_tokens(tmp_path: Path) -> None:
    bare = Bare(make(tmp_path, "tiny"), Settings())
    tokens = bare.tokenize("<|im_start|>the<|im_end|>")
    bare.close()
    assert len(tokens) == 4
    assert tokens[0] == SHAPES["tiny"].vocabulary - 2


def test_ending_tokens_score_zero(tmp_path: Path) -> None:
    bare = Bare(make(tmp_path, "tiny"), Settings())
    logits = bare.logits("anything")
    bare.close()
    assert logits[-3:] == [0.0, 0.0, 0.0]
    assert max(logits) > 1


def test_the_seed_makes_the_bytes(tmp_path: Path) -> None:
    one = make(tmp_path, "tiny").read_bytes()
    assert one == make(tmp_path, "tiny").read_bytes()
    assert one != make(tmp_path, "tiny", seed=1).read_bytes()


def test_progress_adds_up(tmp_path: Path) -> None:
    shape, mix, told = SHAPES["tiny"], MIXES["2.70"], list[int]()
    synthetic.write(tmp_path / "m.gguf", shape, mix, advance=told.append)
    assert sum(told) == sum(tensor.size for tensor in plan(shape, mix))
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]


def test_the_cache_is_filled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = synthetic.cached("tiny")
    assert path.parent == tmp_path / "edged" / "bench"
    written = path.stat().st_mtime_ns
    assert synthetic.cached("tiny").stat().st_mtime_ns == written
    assert synthetic.cached("tiny", "3.48") != path
    assert synthetic.cached("tiny", layers=1) != path


def test_the_command_writes_a_shape_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.gguf"
    argv = ["--shape", "tiny", "--layers", "1", "--experts", "8", "--out", str(out)]
    assert synthetic.main(argv) == 0
    assert "bits per weight" in capsys.readouterr().out
    Bare(out, Settings()).close()


def test_a_shape_of_ones_own_is_not_cached() -> None:
    with pytest.raises(SystemExit):
        synthetic.main(["--shape", "tiny", "--layers", "1"])


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF, but not really")
    with pytest.raises(RuntimeError, match="refuses"):
        Bare(path, Settings())


def test_the_bare_process_answers_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = '{"prompt": "hello", "tokens": 3}\n'
    monkeypatch.setattr("sys.stdin", [task, task])
    assert main([str(make(tmp_path, "tiny")), "--settings", '{"threads": 1}']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert '"tokens":3' in lines[0]
