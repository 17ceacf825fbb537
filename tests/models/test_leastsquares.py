from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.models.leastsquares import fit

TERM = st.floats(1e-9, 1e3)


@given(st.lists(TERM, min_size=3, max_size=3))
def test_the_terms_of_as_many_sums_are_found_again(terms: list[float]) -> None:
    rows = [(1.0, 2.0, 3.0), (1.0, 0.0, 0.5), (0.0, 4.0, 1.0)]
    sums = [sum(x * y for x, y in zip(row, terms, strict=True)) for row in rows]
    found = fit(rows, sums)
    again = [sum(x * y for x, y in zip(row, found, strict=True)) for row in rows]
    assert again == pytest.approx(sums, rel=1e-4)


def test_of_more_sums_than_terms_each_counts_by_its_relative_error() -> None:
    assert fit([(1.0,), (100.0,)], [1.0, 100.0]) == pytest.approx((1.0,))
    (between,) = fit([(1.0,), (100.0,)], [0.9, 110.0])
    assert 0.9 < between < 1.1


def test_no_term_is_below_zero_and_the_others_are_found_without_it() -> None:
    # Exactly, the first term would be -1 and the second 2.
    first, second = fit([(1.0, 1.0), (1.0, 2.0)], [1.0, 3.0])
    assert first == 0.0
    assert 1.0 < second < 1.5
    assert fit([(-1.0,)], [1.0]) == (0.0,)


def test_units_do_not_matter() -> None:
    rows, sums = [(1.0, 1e9), (1.0, 3e9)], [3.0, 7.0]
    assert fit(rows, sums) == pytest.approx((1.0, 2e-9))


def test_what_no_sum_tells_is_nothing() -> None:
    assert fit([(1.0, 0.0), (2.0, 0.0)], [2.0, 4.0]) == pytest.approx((2.0, 0.0))


@given(
    st.lists(st.lists(st.floats(0, 1e6), min_size=2, max_size=2), min_size=1, max_size=4),
    st.floats(1e-6, 1e3),
)
def test_whatever_comes_there_are_terms(rows: list[list[float]], total: float) -> None:
    assert all(term >= 0 for term in fit(rows, [total] * len(rows)))
