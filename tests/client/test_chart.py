"""Charts: everything drawn is well-formed, inside, finite and where its value is."""

from __future__ import annotations

from itertools import pairwise
from math import inf, isfinite, nan
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.client import chart
from edged.client.chart import Bar, Dot, Limit

VALUES = st.floats(0.001, 1e6)
TARGET = Limit(8.0, "target 8")


def drawn(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own text


def circles(svg: str, kind: str = "dot") -> list[ET.Element]:
    return [one for one in drawn(svg).iter("circle") if kind in one.attrib["class"].split()]


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in drawn(svg).iter("text")]


def scatter(*dots: Dot, level: Limit | None = None) -> str:
    return chart.scatter(dots, x="tok/s", y="quality", target=TARGET, level=level)


def inside(svg: str, height: float) -> None:
    for element in drawn(svg).iter():
        for name, value in element.attrib.items():
            if name in {"x", "x1", "x2", "cx"}:
                assert 0 <= float(value) <= chart.WIDTH, ET.tostring(element)
            if name in {"y", "y1", "y2", "cy"}:
                assert -4 <= float(value) <= height, ET.tostring(element)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.integers(2, 10))
def test_ticks_are_round_even_and_reach_past_both_ends(low: float, span: float, about: int) -> None:
    found = chart.ticks(low, low + span, about)
    steps = [b - a for a, b in pairwise(found)]
    slack = 1e-6 * max(1.0, abs(low) + span)
    assert found[0] <= low + slack
    assert found[-1] >= low + span - slack
    assert 2 <= len(found) <= about + 3
    assert max(steps) - min(steps) < 1e-2 * max(steps)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (93.9, 99.7, [92, 94, 96, 98, 100]),
        (0, 0.7, [0, 0.2, 0.4, 0.6, 0.8]),
        (5, 5, [5, 6]),
        (0, 0, [0, 0.2]),
        (3, 1, [3, 4]),
    ],
)
def test_ticks(low: float, high: float, expected: list[float]) -> None:
    assert chart.ticks(low, high)[: len(expected)] == expected


@given(
    st.lists(st.tuples(VALUES, st.none() | st.floats(0, 101)), min_size=1, max_size=60),
    st.booleans(),
)
def test_any_dots_are_drawn_inside(pairs: list[tuple[float, float | None]], chosen: bool) -> None:
    dots = [
        Dot(x, y, number, "t", chosen=chosen and number == 1, crossed=number % 2 == 0)
        for number, (x, y) in enumerate(pairs, 1)
    ]
    svg = scatter(*dots, level=Limit(50.0, "budget"))
    assert len(circles(svg)) == len(dots)
    inside(svg, chart.HEIGHT + 12)
    assert (len(circles(svg, "ring")) == 1) is chosen
    assert not chosen or "1" in texts(svg)


def test_a_dot_lies_where_its_values_are() -> None:
    svg = scatter(Dot(0.0, 94.0, 1, "a"), Dot(10.0, 98.0, 2, "b"), Dot(8.0, 96.0, 3, "c"))
    left, right, middle = sorted(circles(svg), key=lambda one: one[0].text or "")[:3]
    assert float(left.attrib["cx"]) == chart.LEFT
    assert float(left.attrib["cy"]) > float(middle.attrib["cy"]) > float(right.attrib["cy"])
    (line,) = (one for one in drawn(svg).iter("line") if one.attrib["class"] == "target")
    assert line.attrib["x1"] == middle.attrib["cx"], "8 is the target"


def test_what_a_dot_is_can_be_seen() -> None:
    svg = scatter(
        Dot(8.0, 94.0, 1, "<mine> & yours", filled=True, chosen=True, group=3),
        Dot(5.0, None, 2, "other", crossed=True),
    )
    first, second = circles(svg)
    kinds = {one[0].text: one.attrib["class"] for one in (first, second)}
    assert kinds == {"<mine> & yours": "dot g3 filled", "other": "dot g0"}
    assert "<mine>" not in svg
    assert "quality unknown" in texts(svg)
    assert len(list(drawn(svg).iter("path"))) == 1
    assert "quality unknown" not in texts(scatter(Dot(1.0, 90.0, 1, "t")))


def test_what_is_no_number_is_left_out() -> None:
    svg = scatter(Dot(nan, 94.0, 1, "a"), Dot(inf, None, 2, "b"), Dot(1.0, nan, 3, "c"))
    assert circles(svg) == []
    assert "nan" not in svg
    assert len(circles(scatter(Dot(1.0, None, 1, "only")))) == 1


def test_numbers_do_not_lie_upon_each_other() -> None:
    dots = [Dot(8.0 + n / 100, 94.0, n, "t", chosen=n == 10) for n in range(1, 11)]
    svg = scatter(*dots)
    shown = [
        (float(one.attrib["x"]), float(one.attrib["y"]))
        for one in drawn(svg).iter("text")
        if one.attrib["class"] == "middle" and float(one.attrib["y"]) < 200
    ]
    for place, (a, b) in enumerate(shown):
        for c, d in shown[place + 1 :]:
            assert abs(a - c) > 12 or abs(b - d) > 10
    assert "10" in texts(svg), "that of the chosen one is always told"


def test_a_level_outside_the_axis_is_not_drawn() -> None:
    dots = Dot(8.0, 94.0, 1, "a"), Dot(7.0, 96.0, 2, "b")
    assert "memory" in texts(scatter(*dots, level=Limit(95.0, "memory")))
    assert "memory" not in texts(scatter(*dots, level=Limit(120.0, "memory")))
    assert "memory" not in texts(scatter(*dots, level=Limit(10.0, "memory")))


@given(st.lists(VALUES, min_size=1, max_size=8))
def test_a_curve_has_a_dot_for_each_depth(speeds: list[float]) -> None:
    points = [(512.0 * number, speed) for number, speed in enumerate(speeds)]
    svg = chart.curve(points, x="tokens", y="tok/s", target=TARGET)
    assert len(circles(svg, "filled")) == len(speeds)
    (line,) = drawn(svg).iter("polyline")
    places = [tuple(map(float, place.split(","))) for place in line.attrib["points"].split()]
    assert all(isfinite(a) and isfinite(b) for a, b in places)
    inside(svg, chart.HEIGHT)


def test_no_dot_and_no_line_lies_upon_words() -> None:
    strip = drawn(scatter(Dot(1.0, 90.0, 1, "t"), *(Dot(0.1, None, n, "low") for n in range(2, 5))))
    words = next(one for one in strip.iter("text") if one.text == "quality unknown")
    below = [float(one.attrib["cy"]) for one in strip.iter("circle") if one[0].text == "low"]
    assert min(below) - chart.RADIUS > float(words.attrib["y"])
    # 7.2 would stand above its dot, on the line, and 7.9 below it.
    points = [(0.0, 8.03), (1.0, 8.8), (2.0, 7.2), (3.0, 8.9), (4.0, 6.3)]
    svg = chart.curve(points, x="tokens", y="tok/s", target=Limit(8.0, "target"))
    level = next(one for one in drawn(svg).iter("line") if one.attrib["class"] == "target")
    told = {chart.rate(speed) for _, speed in points}
    numbers = [one for one in drawn(svg).iter("text") if one.text in told]
    assert len(numbers) == len(points)
    for one in numbers:
        assert abs(float(one.attrib["y"]) - 4 - float(level.attrib["y1"])) >= 7


@given(st.lists(VALUES, min_size=1, max_size=30), VALUES)
def test_bars_are_as_long_as_their_values(values: list[float], limit: float) -> None:
    rows = [Bar(value, number, "t", chosen=number == 2) for number, value in enumerate(values, 1)]
    svg = chart.bars(rows, x="GiB", limit=Limit(limit, "budget"))
    drawn_bars = list(drawn(svg).iter("rect"))
    widths = [float(one.attrib["width"]) for one in drawn_bars]
    assert sorted(widths) == [
        width for _, width in sorted(zip(values, widths, strict=True), key=lambda pair: pair[0])
    ]
    for row, one in zip(rows, drawn_bars, strict=True):
        kind = "bar chosen" if row.chosen else "bar over" if row.value > limit else "bar"
        assert one.attrib["class"] == kind
    inside(svg, 1000)
