"""Charts as SVG text: no script, no font and no file from elsewhere; colours are the page's.

A chart is 360 units wide, so on a phone a unit is a CSS pixel.
"""

from __future__ import annotations

from html import escape
from math import floor, inf, isfinite, log10
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 360, 260
LEFT, RIGHT, TOP, BOTTOM = 34, 12, 26, 40
LANES, LANE = 3, 15  # for what has no place on the axis, so that fewer lie upon each other
CAPTION = 12  # over the lanes: no dot lies upon what they are called
STRIP = CAPTION + LANES * LANE + 5
RADIUS = 5
BAR, GAP = 14, 9
_STEPS = (1, 2, 5, 10)
_FINEST = 1e-6  # of the size of the values; what differs by less is drawn as equal
_WHOLE = 100  # from here on digits behind the point say nothing
_MIDDLE = 4  # of a digit, above the line it stands on
_DIGIT = 6  # the width of one
_INSET = 8  # of a curve's ends, whose dots would hide the axis's numbers
_LABEL_ROOM = 12  # between two numbers beside dots that would lie upon each other


def rate(value: float) -> str:
    """A speed as one reads it: three digits, and never a power of ten."""
    return f"{value:.0f}" if value >= _WHOLE else f"{value:.3g}"


class Dot(NamedTuple):
    """A point of a scatter plot.

    Attributes:
        x: Its place.
        y: None has no place, and stands in a strip below.
        number: Beside it; the same as in the table.
        title: Shown by a pointer that rests on it, and read aloud.
        filled: Measured here; else hollow.
        chosen: With a ring.
        crossed: It has no room here.
        group: Which colour, 0 to 5.
    """

    x: float
    y: float | None
    number: int
    title: str
    filled: bool = False
    chosen: bool = False
    crossed: bool = False
    group: int = 0


class Bar(NamedTuple):
    """A bar with its number.

    Attributes:
        value: Its length.
        number: At its left, as in the table.
        title: As of a dot.
        chosen: Drawn strong.
    """

    value: float
    number: int
    title: str
    chosen: bool = False


class Limit(NamedTuple):
    """A line across a chart, and what it says."""

    value: float
    name: str


class Axis(NamedTuple):
    """Values onto units."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from below `low` to above `high`, `about` of them.

    Args:
        low: The least value.
        high: The largest; one not above `low` is taken as a little above it.
        about: At least 2.
    """
    size = max(abs(low), abs(high), 1.0)
    if high - low < size * _FINEST:
        high = low + size
    span = high - low
    raw = span / about
    power = 10.0 ** floor(log10(raw))
    step = next(factor * power for factor in _STEPS if factor * power >= raw * (1 - 1e-9))
    first = floor(low / step + 1e-9)
    found = [first * step]
    while found[-1] < high - step * 1e-9:
        found.append((first + len(found)) * step)
    return [round(value, 10) for value in found]


def scatter(
    dots: Sequence[Dot], *, x: str, y: str, target: Limit, level: Limit | None = None
) -> str:
    """Dots over two axes, with an upright line at `target` and a level one.

    Args:
        dots: At least one; what is not finite is left out.
        x: Name of the axis to the right.
        y: Name of the axis upwards.
        target: On the axis to the right.
        level: On the axis upwards.
    """
    shown = [dot for dot in dots if isfinite(dot.x) and (dot.y is None or isfinite(dot.y))]
    placed = [dot.y for dot in shown if dot.y is not None]
    homeless = any(dot.y is None for dot in shown)
    floor_y = HEIGHT - BOTTOM - (STRIP if homeless else 0)
    margin = (max(placed) - min(placed)) / 20 if placed else 0.0
    rows = ticks(min(placed) - margin, max(placed)) if placed else [0.0, 100.0]
    columns = ticks(0.0, max([target.value, *(dot.x for dot in shown)]) * 1.02)
    across = Axis(columns[0], columns[-1], LEFT, WIDTH - RIGHT)
    up = Axis(rows[0], rows[-1], floor_y, TOP)
    parts = [*_grid(across, columns, up, rows, floor_y), *_names(x, y)]
    if homeless:
        parts.append(_text(LEFT + 4, floor_y + CAPTION, "quality unknown", "quiet"))
    parts += _line(across.at(target.value), target.name)
    if level is not None and rows[0] <= level.value <= rows[-1]:
        parts += _level(up.at(level.value), level.name, "budget")
    lanes: list[float] = [-inf] * LANES
    places = {
        dot: (
            across.at(dot.x),
            up.at(dot.y) if dot.y is not None else floor_y + _lane(lanes, across.at(dot.x)),
        )
        for dot in sorted(shown, key=lambda dot: dot.x)
    }
    taken = list(places.values())
    for dot, (a, b) in places.items():
        parts += _dot(dot, a, b)
        parts += _number(dot, a, b, taken)
    return _svg(parts, HEIGHT, f"{y} against {x}")


def curve(points: Sequence[tuple[float, float]], *, x: str, y: str, target: Limit) -> str:
    """A line through points in order, with a level one at `target`."""
    columns = ticks(0.0, max(point[0] for point in points))
    rows = ticks(0.0, max([target.value, *(point[1] for point in points)]) * 1.05)
    across = Axis(columns[0], columns[-1], LEFT + _INSET, WIDTH - RIGHT - _INSET)
    up = Axis(rows[0], rows[-1], HEIGHT - BOTTOM, TOP)
    placed = [(across.at(a), up.at(b)) for a, b in points]
    parts = [
        *_grid(across, columns, up, rows, HEIGHT - BOTTOM),
        *_names(x, y),
        *_level(up.at(target.value), target.name, "target"),
        f'<polyline class="curve" points="{" ".join(f"{a},{b}" for a, b in placed)}"/>',
    ]
    for index, ((a, b), (tokens, speed)) in enumerate(zip(placed, points, strict=True)):
        title = f"{speed:.2f} tok/s behind {tokens:g} tokens"
        parts.append(_circle(a, b, "dot g0 filled", title))
        anchor = "start" if a < LEFT + 20 else "middle"
        parts.append(_text(a, _clear(b, index, up.at(target.value)), rate(speed), anchor))
    return _svg(parts, HEIGHT, f"{y} against {x}")


def _clear(place: float, index: int, line: float) -> float:
    """Where the number of a dot stands: above and below in turn, but never on a level line."""
    sides = [place - 9, place + 17]
    first = sides[index % 2]
    return sides[1 - index % 2] if abs(first - _MIDDLE - line) < _MIDDLE + 3 else first


def bars(rows: Sequence[Bar], *, x: str, limit: Limit) -> str:
    """Bars one below the other, with an upright line at `limit`."""
    bottom = TOP + len(rows) * (BAR + GAP) + 4
    columns = ticks(0.0, max([limit.value, *(row.value for row in rows)]) * 1.02)
    across = Axis(columns[0], columns[-1], LEFT, WIDTH - RIGHT)
    parts = []
    for column in columns:
        place = across.at(column)
        parts.append(f'<line class="grid" x1="{place}" x2="{place}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(_text(place, bottom + 13, f"{column:g}", "middle"))
    for index, row in enumerate(rows):
        top = TOP + index * (BAR + GAP) + 4
        width = max(1.0, round(across.at(row.value) - LEFT, 1))
        kind = "bar chosen" if row.chosen else "bar over" if row.value > limit.value else "bar"
        parts.append(_text(LEFT - 6, top + BAR - 3, str(row.number), "end"))
        parts.append(
            f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{width}" height="{BAR}" rx="2">'
            f"<title>{escape(row.title)}</title></rect>"
        )
    place = across.at(limit.value)
    parts.append(f'<line class="budget" x1="{place}" x2="{place}" y1="{TOP - 2}" y2="{bottom}"/>')
    parts.append(_beside(place, TOP - 4, limit.name, "budget"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, bottom + 30, x, "middle quiet"))
    return _svg(parts, bottom + 36, x)


def _grid(
    across: Axis, columns: Sequence[float], up: Axis, rows: Sequence[float], floor_y: float
) -> list[str]:
    end = WIDTH - RIGHT
    parts = []
    for row in rows:
        place = up.at(row)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{place}" y2="{place}"/>')
        parts.append(_text(LEFT - 5, place + 4, f"{row:g}", "end"))
    low = HEIGHT - BOTTOM
    for column in columns:
        place = across.at(column)
        parts.append(f'<line class="grid" x1="{place}" x2="{place}" y1="{TOP}" y2="{low}"/>')
        parts.append(_text(place, low + 14, f"{column:g}", "middle"))
    if floor_y < low:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{low}" y2="{low}"/>')
    return parts


def _names(x: str, y: str) -> list[str]:
    across = _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x, "middle quiet")
    return [across, _text(2, 10, y, "quiet")]


def _line(place: float, name: str) -> list[str]:
    low = HEIGHT - BOTTOM
    return [
        f'<line class="target" x1="{place}" x2="{place}" y1="{TOP}" y2="{low}"/>',
        _beside(place, TOP - 4, name, "target"),
    ]


def _level(place: float, name: str, kind: str) -> list[str]:
    end = WIDTH - RIGHT
    return [
        f'<line class="{kind}" x1="{LEFT}" x2="{end}" y1="{place}" y2="{place}"/>',
        _text(end, place - 4, name, f"{kind} end"),
    ]


def _beside(place: float, y: float, text: str, kind: str) -> str:
    """Centred over a line, and inside the chart."""
    half = 3.0 * len(text)
    inside = min(max(place, LEFT + half), WIDTH - half - 2)
    return _text(inside, y, text, f"{kind} middle")


def _lane(lanes: list[float], x: float) -> float:
    """The height of the lane whose last dot is farthest to the left."""
    lane = min(range(LANES), key=lanes.__getitem__)
    lanes[lane] = x
    return CAPTION + (lane + 0.5) * LANE + 3


def _dot(dot: Dot, x: float, y: float) -> list[str]:
    kinds = ["dot", f"g{dot.group}", *(["filled"] if dot.filled else [])]
    parts = [_circle(x, y, " ".join(kinds), dot.title)]
    if dot.chosen:
        parts.append(f'<circle class="ring g{dot.group}" cx="{x}" cy="{y}" r="{RADIUS + 4}"/>')
    if dot.crossed:
        arm = RADIUS - 1
        parts.append(
            f'<path class="cross g{dot.group}" d="M{x - arm:.1f} {y - arm:.1f}l{2 * arm} {2 * arm}'
            f'm0 {-2 * arm}l{-2 * arm} {2 * arm}"/>'
        )
    return parts


def _number(dot: Dot, x: float, y: float, taken: list[tuple[float, float]]) -> list[str]:
    """At the first place around the dot where no other number stands; none if none is free."""
    away = RADIUS + (9 if dot.chosen else 5)
    beside = away + 2 + _DIGIT * (len(str(dot.number)) - 1) / 2
    places = [(x + beside, y + 4), (x - beside, y + 4), (x, y - away), (x, y + away + 8)]
    free = [
        (a, b)
        for a, b in places
        if all(
            abs(a - c) > _LABEL_ROOM or abs(b - d) > _LABEL_ROOM - 2
            for c, d in taken
            if (c, d) != (x, y)
        )
        and LEFT < a < WIDTH - 4
    ]
    if not free and not dot.chosen:
        return []
    place = (free or places)[0]
    taken.append(place)
    return [_text(*place, str(dot.number), "middle strong" if dot.chosen else "middle")]


def _circle(x: float, y: float, kind: str, title: str) -> str:
    return (
        f'<circle class="{kind}" cx="{x}" cy="{y}" r="{RADIUS}">'
        f"<title>{escape(title)}</title></circle>"
    )


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _svg(parts: Sequence[str], height: float, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )
