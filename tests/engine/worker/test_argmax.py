from __future__ import annotations

import ctypes

import pytest

from edged.engine.worker.argmax import Argmax
from tests.engine.worker.scores import scores


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
