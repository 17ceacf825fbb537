from __future__ import annotations

import pytest

from bench.plant.power import DECODE, PREFILL
from bench.plant.rates import MODEL_30B
from bench.plant.server import Requests, Server
from edged.thermal.pace import Admit, Pace

READ_S = 44 / MODEL_30B.prefill_tps(4, 2400.0)
SAY_S = 128 / MODEL_30B.decode_tps(3, 2400.0)


def server(every: float = 0.0, after: float = 0.0) -> Server:
    return Server(MODEL_30B, Requests(every=every), after)


def test_a_request_is_read_and_then_answered() -> None:
    one = server()
    reading = one.advance(READ_S - 0.1, Pace(), 2400.0)
    assert reading.tokens == 0.0
    assert reading.cores == pytest.approx(4.0)
    assert reading.work is PREFILL
    one.advance(0.1, Pace(), 2400.0)
    saying = one.advance(SAY_S, Pace(), 2400.0)
    assert saying.tokens == pytest.approx(128.0, abs=1e-6)
    assert saying.cores == pytest.approx(3.0, rel=0.01)
    assert saying.work is DECODE


def test_an_hour_is_full_of_them() -> None:
    one = server()
    tokens = sum(one.advance(1.0, Pace(), 2400.0).tokens for _ in range(3600))
    assert tokens == pytest.approx(128 * 3600 / (READ_S + SAY_S), rel=0.01)


def test_it_obeys_threads_and_rests() -> None:
    one = server()
    one.advance(READ_S, Pace(), 2400.0)
    paced = one.advance(1.0, Pace(threads=2, idle_share=0.25), 2400.0)
    assert paced.possible_tps == pytest.approx(MODEL_30B.decode_tps(2, 2400.0))
    assert paced.tokens == pytest.approx(0.75 * paced.possible_tps, rel=0.01)
    assert paced.cores == pytest.approx(1.5, rel=0.01)


def test_it_obeys_a_rate() -> None:
    one = server()
    one.advance(READ_S, Pace(), 2400.0)
    assert one.advance(1.0, Pace(decode_tps=4.0), 2400.0).tokens == pytest.approx(4.0, rel=0.01)


def test_between_requests_it_rests() -> None:
    one = server(every=60.0, after=10.0)
    assert one.advance(10.0, Pace(), 2400.0).cores == 0.0
    tokens = sum(one.advance(1.0, Pace(), 2400.0).tokens for _ in range(600))
    assert tokens == pytest.approx(1280.0)


def test_who_is_not_let_in_waits_and_what_runs_goes_on() -> None:
    one = server()
    shut = Pace(admit=Admit.URGENT)
    assert one.advance(30.0, shut, 2400.0).cores == 0.0
    one.advance(1.0, Pace(), 2400.0)
    tokens = one.advance(60.0, shut, 2400.0).tokens
    assert tokens == pytest.approx(128.0)
