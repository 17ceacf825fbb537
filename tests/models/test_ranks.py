from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edged.models.ranks import bits_per_weight, rank
from tests.models.values import family, quality, variant


def test_known_quality_counts_and_the_rest_falls_between() -> None:
    low = variant("a", bpw=2.7, quality=quality(94.0))
    high = variant("b", bpw=3.2, quality=quality(98.0))
    under, between, over = (variant(str(bits), bpw=bits) for bits in (2.66, 2.95, 3.9))
    iq = variant("i", bpw=2.9, kind="IQ", quality=quality(1.0))
    of = family(high, over, iq, under, low, between)
    assert rank(low, of) == (94.0, 2.7)
    assert rank(between, of) == (96.0, 2.95)
    assert rank(under, of) == (94.0, 2.66)
    assert rank(over, of) == (98.0, 3.9)
    order = sorted((under, low, between, high, over), key=lambda each: rank(each, of))
    assert order == [under, low, between, high, over]


def test_without_any_known_quality_bits_alone_count() -> None:
    assert rank(variant("a", bpw=2.0), family()) == (0.0, 2.0)


def test_what_was_measured_is_not_overruled_by_bits() -> None:
    better = variant("a", bpw=3.0, quality=quality(97.0))
    worse = variant("b", bpw=3.4, quality=quality(96.0))
    between = variant("c", bpw=3.2)
    of = family(better, worse, between)
    assert rank(better, of) > rank(between, of) > rank(worse, of)


def test_bits_from_size() -> None:
    of = family(parameters=1000)
    assert bits_per_weight(variant("a", bpw=None, bytes=500), of) == 4.0
    assert bits_per_weight(variant("a", bpw=None), of) == 0.0
    assert bits_per_weight(variant("a", bpw=None, bytes=500), family()) == 0.0


@given(
    st.lists(st.tuples(st.floats(2, 8), st.none() | st.floats(80, 100)), min_size=2, max_size=8),
    st.booleans(),
)
def test_a_rank_stays_within_what_is_known(
    files: list[tuple[float, float | None]], monotone: bool
) -> None:
    if monotone:
        known = sorted(percent for _, percent in files if percent is not None)
        bits = sorted(bpw for bpw, percent in files if percent is not None)
        files = [*zip(bits, known, strict=True), *(file for file in files if file[1] is None)]
    listed = [
        variant(str(index), bpw=bpw, quality=None if percent is None else quality(percent))
        for index, (bpw, percent) in enumerate(files)
    ]
    of = family(*listed)
    ranks = [rank(each, of) for each in listed]
    known = [percent for _, percent in files if percent is not None]
    for percent, _ in ranks:
        assert percent == 0.0 or min(known) - 1e-9 <= percent <= max(known) + 1e-9
    if monotone and len({bpw for bpw, _ in files}) == len(files):
        by_bits = sorted(ranks, key=lambda each: each[1])
        assert all(a[0] <= b[0] + 1e-9 for a, b in itertools.pairwise(by_bits))
