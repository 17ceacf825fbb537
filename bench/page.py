"""One page of all benches: tables and plots, no script and nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

import msgspec

from bench.report import MET, MISSED, Result, Series, tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH: Final = 640  # of a plot, in CSS pixels
HEIGHT: Final = 120
MARGIN: Final = 6
COLOURS: Final = ("#2563eb", "#d97706", "#059669", "#9333ea")
STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1f2937; background: #fff }
table { border-collapse: collapse; margin: 0.5rem 0 }
td, th { padding: 0.2rem 0.8rem; border-bottom: 1px solid #e5e7eb; text-align: left }
td.n { text-align: right; font-variant-numeric: tabular-nums }
.met { color: #047857 } .missed { color: #b91c1c; font-weight: 600 }
.quiet { color: #6b7280; font-size: 0.9em } svg { background: #f9fafb; display: block }
"""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One bench on the page.

    Attributes:
        name: Of the bench.
        result: What it found; None if it failed.
        trouble: The end of what it wrote to stderr, if it failed.
    """

    name: str
    result: Result | None = None
    trouble: str = ""


def render(sections: Iterable[Section]) -> str:
    """The whole page as HTML."""
    body = "\n".join(_section(section) for section in sections)
    head = f'<meta charset="utf-8"><title>edged: benches</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en">{head}\n<h1>edged: benches</h1>\n{body}\n</html>\n'


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.name)}</h2>"]
    if section.result is None:
        parts.append(f'<p class="missed">failed</p><pre>{escape(section.trouble)}</pre>')
    else:
        parts += [_figures(section.result), *_notes(section.result)]
        parts += [_plot(unit, group) for unit, group in _by_unit(section.result.series).items()]
        parts.append(_conditions(section.result))
    return "\n".join(parts)


def _figures(result: Result) -> str:
    rows = ["<tr><th>name</th><th>value</th><th>goal</th><th>verdict</th></tr>"]
    for figure in result.figures:
        style = figure.verdict if figure.verdict in (MET, MISSED) else "quiet"
        rows.append(
            f'<tr><td>{escape(figure.name)}</td><td class="n">{escape(figure.shown)}</td>'
            f'<td class="n">{escape(figure.goal or "")}</td>'
            f'<td class="{style}">{figure.verdict}</td></tr>'
        )
    return f"<table>{''.join(rows)}</table>"


def _notes(result: Result) -> list[str]:
    return [f"<p>{escape(note)}</p>" for note in result.notes]


def _conditions(result: Result) -> str:
    pairs = (f"{escape(name)}: {escape(str(value))}" for name, value in result.conditions.items())
    return f'<p class="quiet">{"; ".join(pairs)}</p>'


def _by_unit(series: Iterable[Series]) -> dict[str, list[Series]]:
    groups: dict[str, list[Series]] = {}
    for one in series:
        groups.setdefault(one.unit, []).append(one)
    return groups


def _plot(unit: str, group: Sequence[Series]) -> str:
    """Lines on one scale, from zero if not told otherwise, so that heights compare."""
    low = min(one.least for one in group)
    top = max((value for one in group for value in one.values), default=low)
    top = top if top > low else low + 1.0
    lines = [_line(one, COLOURS[i % len(COLOURS)], low, top) for i, one in enumerate(group)]
    legend = ", ".join(
        f'<span style="color:{COLOURS[i % len(COLOURS)]}">{escape(one.name)}</span>'
        for i, one in enumerate(group)
    )
    scale = f"{tidy(low)} to {tidy(top)} {escape(unit)}"
    caption = f"{legend}; {scale}, by {escape(group[0].each)}"
    frame = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img">'
    told = f'<figcaption class="quiet">{caption}</figcaption>'
    return f"<figure>{frame}{''.join(lines)}</svg>{told}</figure>"


def _line(series: Series, colour: str, low: float, top: float) -> str:
    step = (WIDTH - 2 * MARGIN) / max(1, len(series.values) - 1)
    scale = (HEIGHT - 2 * MARGIN) / (top - low)
    points = " ".join(
        f"{MARGIN + step * i:.1f},{HEIGHT - MARGIN - scale * (value - low):.1f}"
        for i, value in enumerate(series.values)
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
