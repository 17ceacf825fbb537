"""Rounds end with their time, but not before there are enough."""

from __future__ import annotations

import time
from itertools import islice

from bench.peer.rounds import rounds


def test_without_time_there_are_the_least() -> None:
    assert list(rounds(0.0, 3)) == [0, 1, 2]


def test_there_are_more_as_long_as_there_is_time() -> None:
    assert list(islice(rounds(60.0, 1), 5)) == [0, 1, 2, 3, 4]
    began = time.monotonic()
    assert len(list(rounds(0.05, 1))) > 1
    assert time.monotonic() - began >= 0.05
