from __future__ import annotations

import pytest

from bench.plant.board import Plant
from bench.plant.bound import most_tps
from bench.plant.coolers import ACTIVE, BARE
from bench.plant.rates import MODEL_30B
from bench.plant.server import Requests, Server
from edged.thermal.pace import Pace

REQUESTS = Requests()


def test_a_cooled_board_may_do_all_it_can() -> None:
    free = Server(MODEL_30B, REQUESTS)
    tokens = sum(free.advance(1.0, Pace(), 2400.0).tokens for _ in range(3600))
    assert most_tps(ACTIVE, 20.0, MODEL_30B, REQUESTS, 78.0) == pytest.approx(
        tokens / 3600, rel=0.01
    )


def test_at_the_bound_a_board_ends_at_the_limit() -> None:
    """Whatever constant pace reaches as many tokens is at least as hot."""
    most = most_tps(BARE, 20.0, MODEL_30B, REQUESTS, 78.0)
    reached = []
    for idle in (0.1, 0.15, 0.2, 0.25, 0.3):
        plant, server = Plant(BARE, 20.0), Server(MODEL_30B, REQUESTS)
        heat, tokens = [], 0.0
        for _ in range(2400):
            pace = Pace(threads=1, threads_batch=1, idle_share=idle)
            second = server.advance(1.0, pace, 2400.0)
            heat.append(plant.step(1.0, second.cores, second.work).celsius)
            tokens += second.tokens
        reached.append((tokens / 2400, sum(heat[-600:]) / 600))
    assert any(celsius > 78.0 for _, celsius in reached)
    assert any(celsius < 78.0 for _, celsius in reached)
    for tps, celsius in reached:
        assert (tps <= most * 1.02) == (celsius <= 78.3)


def test_less_is_possible_in_a_warmer_room_and_nothing_in_a_hot_one() -> None:
    cool, warm, hot = (
        most_tps(BARE, room, MODEL_30B, REQUESTS, 78.0) for room in (20.0, 30.0, 60.0)
    )
    assert cool > warm > hot == 0.0
