from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import pytest

from edged.engine.worker.argmax import Argmax
from edged.engine.worker.search import MOST_GRAPHS
from tests.engine.worker.scores import scores

if TYPE_CHECKING:
    from edged.engine.worker.search import Search


def test_rows_of_any_address_and_more_than_are_remembered() -> None:
    """Rows of a vocabulary of an odd size are not aligned."""
    size = 701
    argmax = Argmax(size)
    rows = 2 * MOST_GRAPHS + 1
    values = scores(size * rows, 5)
    for row in [*range(rows), 0, rows - 1]:
        found = argmax.at(ctypes.addressof(values) + row * size * 4)
        assert found == max(range(size), key=lambda at, row=row: values[row * size + at])  # type: ignore[misc]
    argmax.close()


def test_a_row_that_was_searched_is_searched_by_the_same_graph() -> None:
    argmax = Argmax(700)
    values = scores(700, 1)
    for _ in range(3):
        argmax.at(ctypes.addressof(values))
    assert (len(argmax._graphs), len(argmax._contexts), len(argmax._buffers)) == (1, 1, 2)
    argmax.close()
    assert not any((argmax._graphs, argmax._contexts, argmax._buffers))


@pytest.mark.parametrize("closed", [False, True])
def test_searches_of_one_row_do_not_disturb_each_other(closed: bool) -> None:
    one, other = Argmax(700), Argmax(700)
    values = scores(700, 2)
    searches: list[Search] = [one, other]
    want = one.at(ctypes.addressof(values))
    assert other.at(ctypes.addressof(values)) == want
    if closed:
        one.close()
    assert other.at(ctypes.addressof(values)) == want
    for search in searches:
        search.close()
