from __future__ import annotations

import pytest

from bench.peer.unhurried import deepest


@pytest.mark.parametrize(
    ("probe_ms", "name"),
    [
        pytest.param(12.0, "unhurried", id="31 ms with 18 layers"),
        pytest.param(30.8, "half-unhurried", id="79 ms with 18 layers, 51 with 10"),
        pytest.param(50.0, "overhead", id="83 ms with 10 layers"),
        pytest.param(90.0, "overhead", id="none is quick enough"),
    ],
)
def test_a_token_takes_no_longer_than_on_a_board(probe_ms: float, name: str) -> None:
    assert deepest(probe_ms) == name
