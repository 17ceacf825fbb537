"""The tree of options, against adding up each option by itself."""

from __future__ import annotations

from math import exp, inf, log
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.engine.worker.options import ROOT, Options, Row, log_sum

if TYPE_CHECKING:
    from collections.abc import Sequence

OPTIONS = st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=10)
ENDS = (4, 5)
BEFORE = 99


def score(prefix: Sequence[int], token: int) -> float:
    """A made-up model: the logarithmic probability of a token behind a prefix."""
    weights = [1 + (7 * sum(prefix) + 3 * len(prefix) + 5 * other) % 11 for other in range(6)]
    return log(weights[token] / sum(weights))


def by_itself(option: list[int], options: list[list[int]]) -> float:
    steps = sum(score(option[:place], token) for place, token in enumerate(option))
    if any(len(it) > len(option) and it[: len(option)] == option for it in options):
        steps += log(sum(exp(score(option, end)) for end in ENDS))
    return steps


def enter(options: Options, node: int, prefix: tuple[int, ...]) -> None:
    options.enter(node, {token: score(prefix, token) for token in options.wanted(node)})


def read(options: Options, width: int) -> list[int]:
    """Go through all rounds; how many rows each had."""
    sizes = []
    while options.left:
        count, rows = options.round(width)
        assert count <= width
        before, *rows = rows
        assert before == Row(ROOT, BEFORE, 0, tuple(range(max(count, 1))))
        enter(options, ROOT, ())
        held: dict[int, tuple[int, ...]] = {}  # what each way has read so far
        for row in rows:
            shared = {held.get(way, ()) for way in row.ways}
            assert len(shared) == 1, "those that share a row have read the same"
            prefix = (*shared.pop(), row.token)
            assert len(prefix) == row.depth
            held.update(dict.fromkeys(row.ways, prefix))
            enter(options, row.node, prefix)
        assert set(held) == set(range(count)), "nobody takes a place for nothing"
        options.passed(count)
        sizes.append(len(rows))
    return sizes


@given(OPTIONS, st.integers(1, 4))
def test_each_has_the_score_it_has_by_itself(options: list[list[int]], width: int) -> None:
    tree = Options(options, ENDS, BEFORE)
    read(tree, width)
    assert tree.scores() == pytest.approx([by_itself(option, options) for option in options])


@given(OPTIONS)
def test_what_several_begin_with_is_read_once(options: list[list[int]]) -> None:
    tree = Options(options, ENDS, BEFORE)
    beginnings = {tuple(o[: n + 1]) for o in options for n in range(len(o))}
    assert tree.size == len(beginnings)
    followed = {beginning[:-1] for beginning in beginnings} - {()}
    assert sum(read(tree, len(options))) == len(followed)


def test_a_beginning_of_another_competes_by_its_end() -> None:
    tree = Options([[1], [1, 2]], [9], BEFORE)
    tree.enter(ROOT, {1: log(0.5)})
    assert set(tree.wanted(ROOT)) == {1}
    count, (_, row) = tree.round(2)
    assert (count, row.ways) == (2, (0, 1))
    assert set(tree.wanted(row.node)) == {2, 9}
    tree.enter(row.node, {2: log(0.25), 9: log(0.5)})
    assert [exp(score) for score in tree.scores()] == pytest.approx([0.25, 0.125])


def test_what_nothing_follows_is_not_read() -> None:
    tree = Options([[1], [2]], [9], BEFORE)
    left = [tree.left]
    assert tree.round(2) == (0, [Row(ROOT, BEFORE, 0, (0,))])
    tree.enter(ROOT, {1: log(0.5), 2: log(0.25)})
    assert [*left, tree.left] == [True, False]
    assert [exp(score) for score in tree.scores()] == pytest.approx([0.5, 0.25])


def test_an_option_without_tokens_is_an_end_at_once() -> None:
    tree = Options([[], [1]], [9], BEFORE)
    tree.enter(ROOT, {1: -0.5, 9: -1.5})
    assert tree.scores() == (-1.5, -0.5)


def test_rounding_makes_nothing_likelier_than_certain() -> None:
    tree = Options([[], [1]], [8, 9], BEFORE)
    tree.enter(ROOT, {1: 1e-6, 8: -0.1, 9: -0.1})
    assert tree.scores() == (0.0, 0.0)


def test_a_sum_of_what_cannot_be() -> None:
    assert log_sum([]) == log_sum([-inf, -inf]) == -inf
    assert log_sum([-inf, -2.0]) == -2.0
    assert log_sum([-1e6, -1e6]) == pytest.approx(-1e6 + log(2))
