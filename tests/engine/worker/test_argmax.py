from __future__ import annotations

import ctypes
import random

import pytest

from edged.engine.worker.argmax import MOST_GRAPHS, Argmax


def scores(size: int, seed: int) -> ctypes.Array[ctypes.c_float]:
    rng = random.Random(seed)  # noqa: S311 - no secret
    return (ctypes.c_float * size)(*(rng.gauss(0.0, 3.0) for _ in range(size)))


@pytest.mark.parametrize("size", [1, 7, 700, 32_001])
def test_the_place_of_the_highest_score(size: int) -> None:
    argmax = Argmax(size)
    values = scores(size, size)
    for _ in range(3):
        want = max(range(size), key=values.__getitem__)
        assert argmax.at(ctypes.addressof(values)) == want
        values[want] = -100.0  # the next search sees what stands there by then
    argmax.close()


@pytest.mark.parametrize("place", [0, 1, 699])
def test_at_either_end_and_below_zero(place: int) -> None:
    argmax = Argmax(700)
    values = (ctypes.c_float * 700)(*[-50.0] * 700)
    values[place] = -49.5
    assert argmax.at(ctypes.addressof(values)) == place
    argmax.close()


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
