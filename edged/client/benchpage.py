"""One HTML page about a measured model file: self-contained, in the dark too, and on a phone."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import msgspec

from edged.client import chart
from edged.client.pagestyle import GROUPS, STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edged.models.figures import Measurement, Try

GIB = 1 << 30
MOST_BARS = 20  # what a phone shows without much scrolling


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate, as the page shows it.

    Attributes:
        name: Of the variant.
        family: Of its model.
        kind: KQ, IQ or other.
        quality: Percent of the unquantised model; None is unknown.
        need: Bytes of memory, if known.
        tps: tok/s that were gone by, if any are known.
        source: Where that comes from: measured, predicted, published or derived.
        measured: tok/s of decode here, if it was measured.
        predicted: tok/s that were expected.
        fits: Whether it has room.
        chosen: It is the one.
        reason: What kept or dropped it.
    """

    name: str
    family: str
    kind: str = "other"
    quality: float | None = None
    need: int | None = None
    tps: float | None = None
    source: str = ""
    measured: float | None = None
    predicted: float | None = None
    fits: bool | None = None
    chosen: bool = False
    reason: str = ""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page tells.

    Attributes:
        name: Of the measured file.
        board: In words.
        target: tok/s.
        measurement: Of that file.
        budget: Bytes of memory that may be used, if known.
        rows: Candidates in order of preference; may be empty.
        conditions: Names and values of what the figures hold for.
        summary: The choice in a sentence, if there is one.
    """

    name: str
    board: str
    target: float
    measurement: Measurement
    budget: int | None = None
    rows: tuple[Row, ...] = ()
    conditions: tuple[tuple[str, str], ...] = ()
    summary: str = ""


def render(page: Page) -> str:
    """The whole page as HTML."""
    title = escape(f"edged bench: {page.name}")
    body = "\n".join(
        part
        for part in (
            _head(page),
            _tiles(page),
            '<div class="charts">',
            _scatter(page),
            _depths(page),
            _memory(page),
            _threads(page.measurement.tries),
            "</div>",
            _conditions(page.conditions),
            _candidates(page.rows),
        )
        if part
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _head(page: Page) -> str:
    parts = [f"<h1>{escape(page.name)}</h1>", f'<p class="quiet">{escape(page.board)}</p>']
    if page.summary:
        parts.append(f"<p>{escape(page.summary)}</p>")
    if page.measurement.hot:
        parts.append(
            '<p class="warn">Measured hot: the board began or ended above 78 C, or its clock fell. '
            "These figures are not trusted; measure again when it is cool.</p>"
        )
    return "\n".join(parts)


def _tiles(page: Page) -> str:
    found = page.measurement
    meets = "meets" if found.tps >= page.target * 0.98 else "misses"
    tiles = [
        (f"{chart.rate(found.tps)} tok/s", f"decode, {meets} the target of {page.target:g}"),
        (f"{chart.rate(found.pp)} tok/s", "prefill"),
        (f"{found.threads} and {found.threads_batch}", "threads of decode and prefill"),
        ("on" if found.repack else "off", "repacked weights"),
    ]
    if found.temp_c is not None:
        tiles.append((f"{found.temp_c:.0f} C", "at the end"))
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
            for value, name in tiles
        )
        + "</div>"
    )


def _groups(rows: Iterable[Row]) -> dict[str, int]:
    families = dict.fromkeys(row.family for row in rows)
    return {family: index % GROUPS for index, family in enumerate(families)}


def _scatter(page: Page) -> str:
    groups = _groups(page.rows)
    dots = [
        chart.Dot(
            x=row.tps,
            y=row.quality,
            number=number,
            title=f"{number}: {row.name}, {chart.rate(row.tps)} tok/s {row.source}",
            filled=row.measured is not None,
            chosen=row.chosen,
            crossed=row.fits is False,
            group=groups[row.family],
        )
        for number, row in enumerate(page.rows, 1)
        if row.tps is not None
    ]
    if not dots:
        return ""
    if all(dot.y is None for dot in dots):
        told = "No quality is known of these files: the catalogue has none, and a file says none."
        return f'<section><h2>Speed against quality</h2><p class="quiet">{told}</p></section>'
    shown = {page.rows[dot.number - 1].family for dot in dots}
    keys = "".join(
        f'<span class="key"><i class="g{group}"></i>{escape(family)}</span>'
        for family, group in groups.items()
        if family in shown
    )
    plot = chart.scatter(
        dots,
        x="decode, tok/s",
        y="quality, %",
        target=_target(page),
        level=_ceiling(page.rows),
    )
    told = (
        "Filled: measured here. Hollow: published, derived or predicted. "
        "Ringed: chosen. Crossed: over the memory budget."
    )
    return (
        f"<section><h2>Speed against quality</h2>{plot}"
        f'<p class="quiet">{told}</p><p>{keys}</p></section>'
    )


def _target(page: Page) -> chart.Limit:
    return chart.Limit(page.target, f"target {page.target:g}")


def _ceiling(rows: Sequence[Row]) -> chart.Limit | None:
    """The memory budget as a quality, where in the chosen family it parts the files in two."""
    family = next((row.family for row in rows if row.chosen), None)
    known = [row for row in rows if row.family == family and row.quality is not None]
    within = [row.quality for row in known if row.fits and row.quality is not None]
    over = [row.quality for row in known if row.fits is False and row.quality is not None]
    if not within or not over or max(within) >= min(over):
        return None
    return chart.Limit((max(within) + min(over)) / 2, "memory budget")


def _depths(page: Page) -> str:
    depths = page.measurement.depths
    if not depths:
        return ""
    plot = chart.curve(
        [(float(depth.tokens), depth.tps) for depth in depths],
        x="tokens of context before it",
        y="decode, tok/s",
        target=_target(page),
    )
    return f"<section><h2>Decode behind a context</h2>{plot}</section>"


def _memory(page: Page) -> str:
    known = [
        (row, chart.Bar(row.need / GIB, number, f"{number}: {row.name}", row.chosen))
        for number, row in enumerate(page.rows, 1)
        if row.need is not None
    ]
    # of many, those that could be chosen at all
    known.sort(key=lambda pair: (not pair[0].chosen, pair[0].tps is None))
    rows = sorted((bar for _, bar in known[:MOST_BARS]), key=lambda bar: bar.number)
    if not rows or page.budget is None:
        return ""
    have = page.budget / GIB
    plot = chart.bars(rows, x="memory, GiB", limit=chart.Limit(have, f"budget {have:.3g} GiB"))
    rest = len(known) - len(rows)
    told = "Numbers as in the table below. Strong: chosen. Red: over the budget."
    told += f" {rest} more are in the table." if rest else ""
    return f'<section><h2>Memory</h2>{plot}<p class="quiet">{told}</p></section>'


def _threads(tries: Sequence[Try]) -> str:
    if not tries:
        return ""
    loads = list(dict.fromkeys((row.repack, row.kv_type) for row in tries))
    speeds = {(row.repack, row.kv_type, row.kind, row.threads): row.tps for row in tries}
    heads = [
        f"{kind}, repack {'on' if repack else 'off'}"
        + (f", {kv}" if len({kv for _, kv in loads}) > 1 else "")
        for repack, kv in loads
        for kind in ("tg", "pp")
    ]
    lines = []
    for threads in sorted({row.threads for row in tries}):
        cells = [
            speeds.get((repack, kv, kind, threads)) for repack, kv in loads for kind in ("tg", "pp")
        ]
        shown = "".join(f'<td class="n">{_number(cell)}</td>' for cell in cells)
        lines.append(f'<tr><td class="n">{threads}</td>{shown}</tr>')
    head = "".join(f'<th class="n">{escape(name)}</th>' for name in heads)
    return (
        '<section><h2>Threads and repacking, tok/s</h2><table><thead><tr><th class="n">threads</th>'
        f"{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        '<p class="quiet">Short runs, to compare. What could not be best was not tried.</p>'
        "</section>"
    )


def _conditions(conditions: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in conditions)
    return f"<h2>Conditions</h2><dl>{rows}</dl>" if rows else ""


def _candidates(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    names = ("", "variant", "quality", "need", "predicted", "measured", "speed", "why")
    numeric = {"quality", "need", "predicted", "measured", "speed", ""}
    head = "".join(
        f'<th class="n">{name}</th>' if name in numeric else f"<th>{name}</th>" for name in names
    )
    lines = [_candidate(number, row) for number, row in enumerate(rows, 1)]
    return (
        f'<h2>Candidates</h2><table class="cards"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _candidate(number: int, row: Row) -> str:
    speed = "" if row.tps is None else f"{chart.rate(row.tps)} {row.source}"
    cells = [
        ("n", "", str(number)),
        ("", "variant", row.name),
        ("n", "quality", "" if row.quality is None else f"{row.quality:.2f} %"),
        ("n", "need", "" if row.need is None else f"{row.need / GIB:.2f} GiB"),
        ("n", "predicted", _number(row.predicted)),
        ("n", "measured", _number(row.measured)),
        ("n", "speed", speed),
        ("why", "why", row.reason),
    ]
    shown = "".join(
        f'<td class="{kind}" data-name="{name}">{escape(text)}</td>' for kind, name, text in cells
    )
    return f"<tr{' class=chosen' if row.chosen else ''}>{shown}</tr>"


def _number(value: float | None) -> str:
    return "" if value is None else chart.rate(value)
