"""The overhead bench compares like with like, and says so where it could not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import synthetic
from bench.asking import Asked
from bench.mixes import MIXES
from bench.overhead import BareProcess, Pair, judge, notes, percentile
from bench.shapes import SHAPES
from bench.tasks import Run, Settings, Task

if TYPE_CHECKING:
    from pathlib import Path

    from bench.report import Figure, Result


def pair(alone_ms: float, asked_ms: float, text: str = "word") -> Pair:
    alone = Run(text="word", prompt_tokens=9, tokens=256, ttft_ms=50.0, span_ms=alone_ms)
    reply = {
        "text": text,
        "finish_reason": "length",
        "usage": {"prompt_tokens": 9, "completion_tokens": 256},
        "timings": {"ttft_ms": 50.0, "predicted_per_second": 255e3 / alone_ms},
    }
    first = 100.055
    asked = Asked(
        reply=reply, streamed=text, sent_s=100.0, first_s=first, end_s=first + asked_ms / 1e3
    )
    return alone, asked


def named(result: Result) -> dict[str, Figure]:
    return {figure.name: figure for figure in result.figures}


def test_the_ratio_is_the_median_of_the_pairs() -> None:
    pairs = [pair(1000, 1000), pair(1000, 2000), pair(2000, 2020)]
    result = judge(pairs, [pairs[0][1]], 1)
    figures = named(result)
    ratio = figures["decode over MQTT / bare loop, median of pairs"]
    assert ratio.value == pytest.approx(2000 / 2020)
    assert ratio.ok
    assert figures["lowest ratio of a pair"].value == pytest.approx(0.5)
    assert figures["PUBLISH to first delta less engine's TTFT"].value == pytest.approx(5.0)
    assert result.ok
    assert result.notes == ()


def test_a_slow_daemon_misses_the_goal() -> None:
    result = judge([pair(1000, 1030)], [pair(1000, 1030)[1]], 1)
    assert not result.ok


def test_unequal_work_is_told() -> None:
    alone, asked = pair(1000, 1000, text="other")
    assert "different text" in notes([(alone, asked)])[0]
    short = Asked(
        reply={"text": "word", "finish_reason": "stop"},
        streamed="wo",
        sent_s=0.0,
        first_s=1.0,
        end_s=2.0,
    )
    assert len(notes([(alone, short)])) == 3


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(100)]
    assert percentile(values, 0.95) == 95.0
    assert percentile([3.0], 0.95) == 3.0


@pytest.mark.process
def test_the_bare_loop_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    synthetic.write(model, SHAPES["tiny"], MIXES["2.70"])
    with BareProcess(model, Settings()) as bare:
        runs = [bare.run(Task(prompt="hello", tokens=8)) for _ in range(2)]
    assert [run.tokens for run in runs] == [8, 8]
    assert runs[0].text == runs[1].text
