"""The overhead bench compares like with like, and says so where it could not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.asking import Asked
from bench.overhead_verdict import Pair, judge, notes, percentile
from bench.tasks import Run

if TYPE_CHECKING:
    from bench.report import Figure, Result

TOKENS = 256


def pair(alone_ms: float, asked_ms: float, text: str = "word") -> Pair:
    reply = {
        "text": text,
        "finish_reason": "length",
        "usage": {"prompt_tokens": 9, "completion_tokens": TOKENS},
        "timings": {"ttft_ms": 50.0, "predicted_per_second": 255e3 / alone_ms},
    }
    first = 100.055
    return Pair(
        alone=Run(text="word", prompt_tokens=9, tokens=TOKENS, ttft_ms=50.0, span_ms=alone_ms),
        alone_cpu_s=2.0,
        asked=Asked(
            reply=reply, streamed=text, sent_s=100.0, first_s=first, end_s=first + asked_ms / 1e3
        ),
        worker_cpu_s=2.1,
        daemon_cpu_s=0.256,
    )


def named(result: Result) -> dict[str, Figure]:
    return {figure.name: figure for figure in result.figures}


def test_the_ratio_is_the_median_of_the_pairs() -> None:
    pairs = [pair(1000, 1000), pair(1000, 2000), pair(2000, 2020)]
    result = judge(pairs, [pairs[0].asked], TOKENS, {"threads": 1})
    figures = named(result)
    ratio = figures["decode over MQTT / bare loop, median"]
    assert ratio.value == pytest.approx(2000 / 2020)
    assert ratio.ok
    assert figures["lowest ratio of a pair"].value == pytest.approx(0.5)
    assert figures["spread of the bare loop"].value == pytest.approx(100.0)
    assert figures["decode by the reply's timings / bare loop"].value == pytest.approx(1.0)
    assert result.ok
    assert result.notes == ()
    assert result.conditions == {"threads": 1, "pairs": 3, "short prompts": 1}


def test_cpu_time_and_delay_are_told() -> None:
    one = pair(1000, 1000)
    figures = named(judge([one], [one.asked], TOKENS, {}))
    assert figures["CPU time of the worker / bare loop"].value == pytest.approx(1.05)
    assert figures["CPU time of the daemon"].value == pytest.approx(1.0)
    delay = figures["PUBLISH to first delta less engine's TTFT"]
    assert delay.value == pytest.approx(5.0)
    assert delay.ok


def test_a_slow_daemon_misses_the_goal() -> None:
    one = pair(1000, 1030)
    assert not judge([one], [one.asked], TOKENS, {}).ok


def test_an_answer_cut_short_misses_the_goal() -> None:
    one = pair(1000, 1000)
    assert not judge([one], [one.asked], TOKENS + 1, {}).ok


def test_unequal_work_is_told() -> None:
    same = pair(1000, 1000)
    assert "different text" in notes([same, pair(1000, 1000, text="other")])[0]
    short = Asked(
        reply={"text": "word", "finish_reason": "stop"},
        streamed="wo",
        sent_s=0.0,
        first_s=1.0,
        end_s=2.0,
    )
    assert len(notes([msgspec.structs.replace(same, asked=short)])) == 3


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(100)]
    assert percentile(values, 0.95) == 95.0
    assert percentile([3.0], 0.95) == 3.0
