"""The page of a measurement: whole, self-contained, and nothing on it is taken for markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from edged.client import benchpage
from edged.client.benchpage import Page, Row, render
from edged.client.pagestyle import GROUPS
from edged.models.figures import Depth, Measurement, Try

GIB = 1 << 30
VOID = {"meta", "circle", "line", "path", "polyline", "rect", "text"}


class Reader(HTMLParser):
    """What a browser would see: open tags closed in order, and no door to the outside."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.classes: list[str] = []
        self.outside: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.classes += [value or "" for name, value in attrs if name == "class"]
        self.outside += [str(value) for name, value in attrs if name in {"src", "href"}]
        if tag in {"script", "link", "img", "iframe"}:
            self.outside.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style" and data.strip():
            self.text.append(data.strip())


def measurement(**fields: Any) -> Measurement:
    given = {
        "digest": "d",
        "board": "b",
        "tps": 8.03,
        "pp": 10.91,
        "threads": 3,
        "threads_batch": 4,
        "repack": True,
        "wall": 1.7e9,
        "depths": (Depth(0, 8.03), Depth(4096, 6.6)),
    }
    return Measurement(**{**given, **fields})


def row(name: str = "small", **fields: Any) -> Row:
    given = {"name": name, "family": "one", "tps": 8.0, "source": "published", "quality": 97.0}
    return Row(**{**given, **fields})


def page(*rows: Row, **fields: Any) -> Page:
    given = {"name": "small", "board": "a board", "target": 8.0, "measurement": measurement()}
    return Page(**{**given, "rows": rows, **fields})


def test_all_parts_of_a_full_page() -> None:
    chosen = row(quality=94.18, need=10 * GIB, measured=8.03, predicted=8.2, fits=True, chosen=True)
    other = row("big", quality=99.0, need=20 * GIB, fits=False, reason="over the budget")
    tries = (Try(repack=True, kv_type="f16", kind="tg", threads=3, tps=8.1),)
    text = render(
        page(
            chosen,
            other,
            budget=15 * GIB,
            summary="It is the best.",
            conditions=(("engine", "0.3.36"),),
            measurement=measurement(tries=tries, temp_c=71.4),
        )
    )
    seen = Reader(text)
    heads = [head for head in seen.text if head[0].isupper()]
    for head in (
        "It is the best.",
        "Speed against quality",
        "Decode behind a context",
        "Memory",
        "Threads and repacking, tok/s",
        "Conditions",
        "Candidates",
    ):
        assert head in heads
    for told in ("8.03 tok/s", "decode, meets the target of 8", "3 and 4", "71 C", "94.18 %"):
        assert told in seen.text
    for told in ("memory budget", "budget 15 GiB", "10.00 GiB", "over the budget", "8 published"):
        assert told in seen.text
    assert seen.classes.count("chosen") == 1


def test_nothing_is_fetched_from_elsewhere() -> None:
    text = render(page(row(), budget=GIB))
    assert Reader(text).outside == []
    assert not re.search(r"https?:|url\(|@import|<script", text)
    assert 'name="viewport"' in text
    assert "prefers-color-scheme:dark" in text


def test_a_measurement_alone_is_a_page() -> None:
    seen = Reader(render(page(measurement=measurement(depths=(), tps=5.0, repack=False))))
    assert "decode, misses the target of 8" in seen.text
    assert "off" in seen.text
    assert not {"Candidates", "Memory", "Conditions", "Speed against quality"} & set(seen.text)


def test_hot_is_told() -> None:
    assert any("Measured hot" in line for line in Reader(render(page())).text) is False
    hot = render(page(measurement=measurement(hot=True)))
    assert any("Measured hot" in line for line in Reader(hot).text)


def test_names_of_files_are_no_markup() -> None:
    evil = '<img src=x onerror="alert(1)">&amp;'
    text = render(
        page(
            row(evil, family=evil, reason=evil, source=evil, need=GIB),
            name=evil,
            board=evil,
            budget=GIB,
            summary=evil,
            conditions=((evil, evil),),
        )
    )
    seen = Reader(text)
    assert seen.outside == []
    assert seen.text.count(evil) >= 6


def test_rows_without_a_speed_are_in_the_table_only() -> None:
    text = render(page(row("known"), row("unknown", tps=None, family="two")))
    assert text.count("<circle") == 3, "two depths and one candidate"
    assert "unknown" in Reader(text).text
    assert "Speed against quality" not in Reader(render(page(row(tps=None)))).text


def test_where_no_quality_is_known_the_page_says_so_and_draws_no_empty_chart() -> None:
    text = render(page(row("only", quality=None), measurement=measurement(depths=())))
    assert "Speed against quality" in Reader(text).text
    assert any("No quality is known" in line for line in Reader(text).text)
    assert "<circle" not in text
    both = render(page(row("only", quality=None), row("known", quality=90.0)))
    assert "No quality is known" not in both


def test_a_row_is_filled_once_it_is_measured() -> None:
    seen = Reader(render(page(row(), row(measured=8.0), measurement=measurement(depths=()))))
    assert [kind for kind in seen.classes if kind.startswith("dot")] == ["dot g0", "dot g0 filled"]


def test_colours_begin_anew() -> None:
    rows = [row(str(number), family=f"family {number}") for number in range(GROUPS + 1)]
    seen = Reader(render(page(*rows)))
    assert seen.classes.count("g0") == 2
    assert seen.text.count("family 6") == 1


def test_of_many_bars_those_that_might_be_chosen() -> None:
    rows = [row(str(n), need=n * GIB, tps=None if n % 2 else 8.0) for n in range(1, 61)]
    rows.append(row("last", need=GIB, tps=None, chosen=True))
    text = render(page(*rows, budget=30 * GIB))
    assert text.count("<rect") == benchpage.MOST_BARS
    assert 'class="bar chosen"' in text
    assert any(line.endswith("41 more are in the table.") for line in Reader(text).text)
    few = Reader(render(page(rows[0], budget=GIB)))
    assert not any("more are in the table" in line for line in few.text)


@pytest.mark.parametrize(
    ("rows", "drawn"),
    [
        ([(94.0, True), (99.0, False)], True),
        ([(94.0, True), (99.0, True)], False),
        ([(94.0, False), (99.0, False)], False),
        ([(99.0, True), (94.0, False)], False),
        ([(94.0, True), (99.0, None)], False),
        ([(None, True), (99.0, False)], False),
    ],
)
def test_the_budget_is_a_quality_where_it_parts_a_family(
    rows: list[tuple[float | None, bool | None]], drawn: bool
) -> None:
    made = [row(str(n), quality=q, fits=fits) for n, (q, fits) in enumerate(rows)]
    chosen = row("chosen", quality=93.0 if drawn else None, chosen=True)
    assert ("memory budget" in Reader(render(page(*made, chosen))).text) is drawn
    assert "memory budget" not in Reader(render(page(*made))).text, "nothing is chosen"


def test_what_was_compared_has_a_column_for_each_load() -> None:
    tries = [
        Try(repack=repack, kv_type=kv, kind=kind, threads=threads, tps=threads * 1.5)
        for repack, kv in ((False, "f16"), (True, "q8_0"))
        for kind in ("tg", "pp")
        for threads in ((3, 4) if repack else (4,))
    ]
    seen = Reader(render(page(measurement=measurement(tries=tuple(tries)))))
    for head in ("tg, repack off, f16", "pp, repack on, q8_0"):
        assert head in seen.text
    assert seen.text.count("4.5") == 2
    assert seen.text.count("6") >= 4
