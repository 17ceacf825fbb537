from __future__ import annotations

from bench.fit import CASES, _figures, _name
from edged.models.fit import MIB, Need


def ok(expected: int, peak: int) -> bool:
    wanted = Need(weights=expected - MIB, droppable=MIB)
    return all(figure.ok for figure in _figures("x", wanted, peak))


def test_small_ones_may_be_off_by_megabytes_and_large_ones_by_a_share() -> None:
    assert ok(100 * MIB, 164 * MIB)
    assert not ok(100 * MIB, 165 * MIB)
    assert ok(9500 * MIB, 10_000 * MIB)
    assert not ok(9499 * MIB, 10_000 * MIB)


def test_at_least_five_models_of_different_shapes_are_tried() -> None:
    assert len({case.shape for case in CASES}) >= 5
    assert len({_name(case) for case in CASES}) == len(CASES)
