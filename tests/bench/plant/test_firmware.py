from __future__ import annotations

import pytest

from bench.plant.firmware import CAPPED, FULL_MHZ, HARD_MHZ, SOFT, SOFT_MHZ, THROTTLED, bits, clock
from bench.plant.firmware import wanted_mhz as wanted


def test_the_clock_is_full_to_eighty_and_falls_from_there() -> None:
    assert wanted(79.9) == FULL_MHZ
    assert 2200.0 <= wanted(81.0) < 2400.0  # as seen on a Pi 500
    assert wanted(85.0) == SOFT_MHZ
    falling = [wanted(80.0 + tenth / 10) for tenth in range(200)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] == HARD_MHZ


def test_it_moves_by_steps() -> None:
    assert clock(FULL_MHZ, 90.0, 1.0) == 2200.0
    assert clock(2000.0, 60.0, 0.5) == 2100.0
    assert clock(2399.0, 60.0, 1.0) == FULL_MHZ


@pytest.mark.parametrize(
    ("mhz", "celsius", "now"),
    [
        (2400.0, 79.0, 0),
        (2400.0, 80.0, SOFT),
        (2300.0, 79.0, CAPPED),
        (1900.0, 86.0, SOFT | THROTTLED | CAPPED),
    ],
)
def test_its_bits_say_so_and_remember(mhz: float, celsius: float, now: int) -> None:
    assert bits(0, mhz, celsius) == now | now << 16
    assert bits(1 << 18, mhz, celsius) == now | now << 16 | 1 << 18
    assert bits(0xF, 2400.0, 50.0) == 0
