"""The page shows every bench, also the one that failed, and trusts no text."""

from __future__ import annotations

from html.parser import HTMLParser

from bench.page import Section, render
from bench.report import Result, Series, judged, told

RESULT = Result(
    figures=(judged("speed <b>", 0.5, ">= 0.98"), told("rounds", 5)),
    conditions={"cpu": "A & B"},
    notes=("read me",),
    series=(
        Series(name="bare", unit="tok/s", values=(1.0, 2.0, 4.0)),
        Series(name="edged", unit="tok/s", values=(1.0,)),
        Series(name="delay", unit="ms", values=()),
    ),
)


def test_figures_notes_conditions_and_plots_are_shown() -> None:
    page = render([Section(name="overhead", result=RESULT)])
    for part in ("overhead", "0.5", "&gt;= 0.98", "missed", "read me", "A &amp; B"):
        assert part in page
    assert "speed &lt;b&gt;" in page
    assert page.count("<svg") == 2
    assert page.count("<polyline") == 3


def test_a_failed_bench_shows_its_trouble() -> None:
    page = render([Section(name="flood", trouble="Trace <back>")])
    assert "failed" in page
    assert "Trace &lt;back&gt;" in page


def test_nothing_is_loaded_from_elsewhere() -> None:
    links = list[str]()

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            links.extend(name for name, _ in attrs if name in {"src", "href"})
            assert tag != "script"

    Links().feed(render([Section(name="overhead", result=RESULT)]))
    assert links == []


def test_a_scale_begins_where_the_series_says() -> None:
    heat = Series(name="edged", unit="C", values=(50.0, 70.0), each="20 s", least=30.0)
    page = render([Section(name="thermal", result=Result(figures=(), series=(heat,)))])
    assert "30 to 70 C, by 20 s" in page
    assert 'points="6.0,60.0 634.0,6.0"' in page
    flat = Series(name="edged", unit="C", values=(30.0,), least=30.0)
    page = render([Section(name="thermal", result=Result(figures=(), series=(flat,)))])
    assert 'points="6.0,114.0"' in page
