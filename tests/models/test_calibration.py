from __future__ import annotations

import msgspec
import pytest

from edged.models import calibration as module
from edged.models.calibration import (
    Base,
    Calibration,
    Cost,
    Rate,
    Slope,
    base_of,
    decode,
    encode,
    rate_of,
    slope_of,
    threads_of,
)

ZERO = Cost(0.0, 0.0)


def rate(kind: str, use: str = "dense", *, repacked: bool = False, threads: int = 2) -> Rate:
    bits = {"q2_K": 2.0, "q4_K": 4.0, "q8_0": 8.0}[kind]
    cost = bits + (0.1 if use == "experts" else 0) + (0.01 if repacked else 0)
    return Rate(
        kind=kind,
        use="experts" if use == "experts" else "dense",
        repacked=repacked,
        threads=threads,
        byte=Cost(cost, cost / 2),
    )


def known(*rates: Rate, slopes: tuple[Slope, ...] = ()) -> Calibration:
    counts = sorted({each.threads for each in rates} | {2})
    bases = tuple(
        Base(threads=n, token=ZERO, block=ZERO, number=ZERO, head=ZERO, experts=ZERO, routed=ZERO)
        for n in counts
    )
    return Calibration(board="b", rates=rates, bases=bases, slopes=slopes)


def test_what_was_tried_is_taken_as_it_was() -> None:
    found = known(rate("q4_K"), rate("q4_K", "experts"), rate("q4_K", repacked=True))
    assert rate_of(found, "q4_K", "dense", 2, repacked=False) == (Cost(4.0, 2.0), True)
    assert rate_of(found, "q4_K", "experts", 2, repacked=False).byte.decode == 4.1
    assert rate_of(found, "q4_K", "dense", 2, repacked=True).byte.decode == 4.01


def test_another_use_stands_in_and_is_told() -> None:
    found = known(rate("q4_K"))
    assert rate_of(found, "q4_K", "experts", 2, repacked=False) == (Cost(4.0, 2.0), False)


def test_a_type_not_tried_is_taken_for_the_next_in_bits_by_weight() -> None:
    found = known(rate("q2_K"), rate("q4_K"), rate("q8_0"))
    byte, exact = rate_of(found, "iq4_nl", "dense", 2, repacked=False)
    assert not exact
    assert byte.decode == pytest.approx(4.0)  # 4.5 bits of a weight, as q4_K
    wide, _ = rate_of(found, "f32", "dense", 2, repacked=False)
    assert wide.decode == pytest.approx(8.0 * 8.5 / 32)


def test_the_next_number_of_threads_counts() -> None:
    found = known(rate("q4_K", threads=1), rate("q4_K", threads=3))
    assert threads_of(found) == (1, 2, 3)
    assert base_of(found, 8).threads == 3
    assert rate_of(found, "q4_K", "dense", 8, repacked=False).byte.decode == 4.0
    # with two threads only the base was found
    assert rate_of(found, "q4_K", "dense", 2, repacked=False) == (ZERO, False)


def test_slopes_by_cache_type_and_threads() -> None:
    f16 = Slope(kv_type="f16", threads=1, number=Cost(1.0, 1.0))
    more = Slope(kv_type="f16", threads=2, number=Cost(2.0, 2.0))
    found = known(rate("q4_K"), slopes=(f16, more))
    assert slope_of(found, "f16", 1) == Cost(1.0, 1.0)
    assert slope_of(found, "q8_0", 4) == Cost(2.0, 2.0)
    assert slope_of(known(rate("q4_K")), "f16", 1) == ZERO


def test_the_file_is_of_one_board_and_version() -> None:
    found = known(rate("q4_K"), rate("q8_0", "experts"))
    data = encode(found)
    assert decode(data, "b") == found
    assert decode(data, "another") is None
    assert decode(encode(msgspec.structs.replace(found, version=0)), "b") is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"board":"b"}', b"\xff", b'{"bases":[]}'])
def test_a_broken_file_is_none_at_all(data: bytes) -> None:
    assert decode(data, "b") is None


def test_numbers_out_of_range_are_refused() -> None:
    text = encode(known(rate("q4_K"))).replace(b'"spread": 0.0', b'"spread": 2.0')
    assert decode(text, "b") is None
    assert len(text) < module.MAX_BYTES
