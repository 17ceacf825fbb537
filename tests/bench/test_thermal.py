"""The bench as a whole: what it judges, hides nothing, and can be drawn."""

from __future__ import annotations

from bench import thermal
from bench.page import Section, render
from bench.report import Options


def test_the_bench_tells_every_case_and_hides_no_miss() -> None:
    result = thermal.measure(Options())
    names = [figure.name for figure in result.figures]
    judged = {figure.name for figure in result.figures if figure.goal is not None}
    for cooler in ("no cooler", "passive", "active"):
        for room in (20, 30, 40):
            assert f"{cooler}, {room} C: tokens, of the firmware's" in judged
    assert names.count("  above 80 C after the first time, edged") == 12
    missed = [figure for figure in result.figures if not figure.ok]
    assert missed
    assert {figure.name.rpartition(": ")[2] for figure in missed} == {"tokens, of the firmware's"}
    assert not result.ok
    page = render([Section(name="thermal", result=result)])
    assert page.count("<svg") == 18
    assert "30 to 86" in page
