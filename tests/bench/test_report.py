"""Figures against goals, and what a bench's command tells programs and people."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import msgspec
import pytest
from rich.console import Console

from bench import report
from bench.conditions import here
from bench.report import Figure, Options, Result, judged, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "goal", "ok"),
    [
        (0.98, ">= 0.98", True),
        (0.97, ">= 0.98", False),
        (10.0, "<= 10", True),
        (10.1, "<= 10", False),
        (0, "== 0", True),
        (1, "== 0", False),
        (None, "<= 10", False),
    ],
)
def test_a_goal_is_met_or_missed(value: float | None, goal: str, ok: bool) -> None:
    figure = judged("it", value, goal, "ms")
    assert figure.ok is ok
    assert figure.verdict == ("met" if ok else "missed")


def test_a_figure_without_a_goal_is_not_judged() -> None:
    assert told("it", 3).verdict == "-"
    assert told("it", None).shown == "not measured"


@pytest.mark.parametrize(
    ("value", "text"), [(3.0, "3"), (10_000, "10,000"), (123.456, "123.5"), (0.98765, "0.988")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert report.tidy(value) == text


def test_the_median_of_nothing_is_nothing() -> None:
    assert report.median([]) is None
    assert report.median([3.0, 1.0, 2.0]) == 2.0


def test_a_result_needs_figures_and_all_of_them_ok() -> None:
    good, bad = judged("a", 1, "<= 1"), judged("b", 2, "<= 1")
    assert Result(figures=(good, told("c", 1))).ok
    assert not Result(figures=(good, bad)).ok
    assert not Result(figures=()).ok


@pytest.fixture(autouse=True)
def sigterm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_sigterm_unwinds_the_bench() -> None:
    def measure(_: Options) -> Result:
        """A title."""
        signal.raise_signal(signal.SIGTERM)
        return bench()

    with pytest.raises(SystemExit):
        report.run("x", measure, [])


def bench(*figures: Figure) -> Result:
    return Result(figures=figures, conditions={"threads": 1}, notes=("a [note]",))


def test_json_has_the_agreed_shape(capsys: pytest.CaptureFixture[str]) -> None:
    code = report.run("x", lambda _: bench(judged("a", 1.5, "<= 1", "ms")), ["--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == 1
    assert set(found) == {"conditions", "figures"}
    assert found["conditions"]["threads"] == 1
    assert found["conditions"]["python"]
    assert found["figures"] == [
        {"name": "a", "value": 1.5, "unit": "ms", "goal": "<= 1", "ok": False}
    ]


def test_the_table_shows_value_goal_verdict_conditions_and_notes() -> None:
    console = Console(record=True, width=120)
    report.show("A title", bench(judged("a figure", 0.5, "<= 1", "ms")), console)
    text = console.export_text()
    for part in ("A title", "a figure", "0.5 ms", "<= 1", "met", "threads: 1", "a [note]"):
        assert part in text


def test_the_whole_result_goes_to_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = list[Options]()

    def measure(options: Options) -> Result:
        """A title."""
        asked.append(options)
        return bench(told("a", 1))

    out = tmp_path / "result.json"
    assert report.run("x", measure, ["--full", "--out", str(out)]) == 0
    assert asked == [Options(full=True)]
    assert "A title." in capsys.readouterr().out
    assert msgspec.json.decode(out.read_bytes(), type=Result).notes == ("a [note]",)


def test_conditions_name_the_machine_and_the_versions() -> None:
    found = here()
    assert {"cpu", "cores", "load at start", "kernel", "edged", "llama-cpp-python"} <= set(found)
    assert "" not in found.values()
