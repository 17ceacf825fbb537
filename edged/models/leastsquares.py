"""Sums whose terms are unknown and cost something: the terms that fit a few times best."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOTHING = 1e-12  # a column that is so small beside the others says nothing


def fit(rows: Sequence[Sequence[float]], sums: Sequence[float]) -> tuple[float, ...]:
    """The terms, none below zero, whose sums come nearest to those given.

    Each row counts by its relative error. A term that would be below zero is none, and the others
    are found without it: an active set that only grows, which is exact where no noise is.

    Args:
        rows: How often each term is in each sum.
        sums: Of each row; more than zero.
    """
    weighted = [[each / total for each in row] for row, total in zip(rows, sums, strict=True)]
    columns = list(range(len(rows[0])))
    # In units of its own column, so that a second and a billionth of one weigh alike.
    sizes = [max(abs(row[column]) for row in weighted) or 1.0 for column in columns]
    while columns:
        scaled = [[row[column] / sizes[column] for column in columns] for row in weighted]
        found = _solve(_normal(scaled), [sum(column) for column in zip(*scaled, strict=True)])
        least = min(range(len(columns)), key=lambda place: found[place])
        if found[least] >= 0.0:
            terms = dict(zip(columns, found, strict=True))
            return tuple(terms.get(column, 0.0) / size for column, size in enumerate(sizes))
        del columns[least]
    return (0.0,) * len(rows[0])


def _normal(rows: list[list[float]]) -> list[list[float]]:
    count = range(len(rows[0]))
    return [[sum(row[i] * row[j] for row in rows) for j in count] for i in count]


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gauss's elimination; what no row tells is zero."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for at in range(size):
        pivot = max(range(at, size), key=lambda row: abs(rows[row][at]))
        rows[at], rows[pivot] = rows[pivot], rows[at]
        if abs(rows[at][at]) < _NOTHING:
            rows[at] = [float(place == at) for place in range(size)] + [0.0]
        for row in range(at + 1, size):
            factor = rows[row][at] / rows[at][at]
            rows[row] = [x - factor * y for x, y in zip(rows[row], rows[at], strict=True)]
    found = [0.0] * size
    for at in reversed(range(size)):
        known = sum(rows[at][place] * found[place] for place in range(at + 1, size))
        found[at] = (rows[at][size] - known) / rows[at][at]
    return found
