from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edged.telemetry.meter import MINUTE_S, QUARTER_S, Meter, Outcome, Snapshot


def decode(meter: Meter, start: float, seconds: float, tps: float) -> float:
    """One request at a steady rate; returns when it ended."""
    count = int(seconds * tps)
    for n in range(count + 1):
        meter.feed(1, start + n / tps)
    end = start + count / tps
    meter.finished(Outcome(status="ok", ran=True, completion_tokens=count + 1), end)
    return end


def test_nothing_yet() -> None:
    assert Meter().snapshot(1000.0) == Snapshot(
        tps=None,
        possible_tps=None,
        tps_1m=None,
        tps_15m=None,
        pp_tps=None,
        ttft_ms=None,
        requests={"ok": 0, "rejected": 0, "cancelled": 0, "expired": 0, "failed": 0},
        prompt_tokens=0,
        completion_tokens=0,
    )


def test_a_steady_decode_is_measured_while_it_runs() -> None:
    meter = Meter()
    for n in range(81):
        meter.feed(1, 1000 + n / 8)
    shot = meter.snapshot(1010.0)
    assert shot.tps == pytest.approx(8, rel=0.05)
    assert shot.tps_1m == pytest.approx(8)
    assert shot.tps_15m == pytest.approx(8)


def test_what_it_could_do_is_told_while_it_decodes() -> None:
    meter = Meter()
    meter.computed(30, 1.5)
    assert meter.snapshot(999.0).possible_tps is None, "nothing decodes"
    meter.feed(1, 1000.0, "a")
    meter.computed(0, 0.0)
    meter.computed(3, 0.0)
    assert meter.snapshot(1001.0).possible_tps == pytest.approx(20)
    meter.computed(5, 1.0)
    assert meter.snapshot(1001.0).possible_tps == pytest.approx(5)
    meter.finished(Outcome(status="ok", ran=True, key="a"), 1002.0)
    meter.feed(1, 1003.0, "b")
    assert meter.snapshot(1003.0).possible_tps is None, "not told yet"


def test_idle_has_no_rate_of_now_but_keeps_the_sustained_one() -> None:
    meter = Meter()
    end = decode(meter, 1000, 10, 8)
    shot = meter.snapshot(end + 30)
    assert shot.tps is None
    assert shot.tps_1m == pytest.approx(8)
    shot = meter.snapshot(end + MINUTE_S + 1)
    assert shot.tps_1m is None
    assert shot.tps_15m == pytest.approx(8)
    assert meter.snapshot(end + QUARTER_S + 10).tps_15m is None


def test_time_between_requests_does_not_count() -> None:
    meter = Meter()
    decode(meter, 1000, 10, 8)
    decode(meter, 1035, 10, 8)
    assert meter.snapshot(1046).tps_1m == pytest.approx(8)


def test_a_slowdown_shows_soon_in_tps_and_later_in_the_sustained_rates() -> None:
    meter = Meter()
    decode(meter, 1000, 600, 8)
    for n in range(50):
        meter.feed(1, 1600.5 + n / 2)
    shot = meter.snapshot(1625.0)
    assert shot.tps == pytest.approx(2, rel=0.2)
    rates = [shot.tps or 0, shot.tps_1m or 0, shot.tps_15m or 0]
    assert rates == sorted(rates)
    assert 2 < rates[1] < rates[2] < 8


def test_a_decode_that_stands_still_falls_to_zero() -> None:
    meter = Meter()
    for n in range(9):
        meter.feed(1, 1000 + n / 8)
    first = meter.snapshot(1004.0).tps
    assert first is not None
    assert first == pytest.approx(2)
    assert meter.snapshot(1020.0).tps == 0


def test_a_dead_engine_ends_the_decode() -> None:
    meter = Meter()
    meter.feed(1, 1000)
    meter.halted(1001)
    assert meter.snapshot(1002).tps is None


def test_the_end_of_one_of_two_runs_leaves_the_rate_of_the_other() -> None:
    meter = Meter()
    for n in range(33):
        meter.feed(1, 1000 + n / 8, "ab"[n % 2])
    meter.finished(Outcome(status="ok", ran=True, key="a", completion_tokens=17), 1004)
    assert meter.snapshot(1004).tps == pytest.approx(8, rel=0.05)
    for n in range(1, 9):
        meter.feed(1, 1004 + n / 4, "b")
    assert meter.snapshot(1006).tps_1m == pytest.approx(40 / 6)
    meter.finished(Outcome(status="ok", ran=True, key="b", completion_tokens=24), 1006)
    assert meter.snapshot(1006).tps is None


def test_a_refusal_does_not_end_anothers_decode() -> None:
    meter = Meter()
    meter.feed(1, 1000)
    meter.finished(Outcome(status="rejected", ran=False), 1000.5)
    meter.feed(8, 1001)
    shot = meter.snapshot(1001)
    assert shot.tps == pytest.approx(8)
    assert shot.requests["rejected"] == 1


def test_totals_and_the_last_request() -> None:
    meter = Meter()
    whole = Outcome(
        status="ok",
        ran=True,
        prompt_tokens=110,
        cached_tokens=10,
        completion_tokens=7,
        prompt_ms=10_000,
        ttft_ms=10_500,
    )
    meter.finished(whole, 1000)
    meter.finished(Outcome(status="cancelled", ran=True, prompt_tokens=3), 1001)
    shot = meter.snapshot(1002)
    assert shot.pp_tps == pytest.approx(10)
    assert shot.ttft_ms == 10_500
    assert (shot.prompt_tokens, shot.completion_tokens) == (113, 7)
    assert shot.requests == {"ok": 1, "rejected": 0, "cancelled": 1, "expired": 0, "failed": 0}


def test_a_prompt_all_from_cache_has_no_prefill_rate() -> None:
    meter = Meter()
    meter.finished(
        Outcome(status="ok", ran=True, prompt_tokens=5, cached_tokens=5, prompt_ms=1.0), 1.0
    )
    assert meter.snapshot(1.0).pp_tps is None


def test_the_old_minute_is_gone_when_the_ring_wraps() -> None:
    meter = Meter()
    decode(meter, 1000, 50, 16)
    decode(meter, 1100, 50, 4)
    assert meter.snapshot(1151).tps_1m == pytest.approx(4)


def test_a_snapshot_is_no_window_into_the_meter() -> None:
    meter = Meter()
    meter.snapshot(1.0).requests["ok"] = 99
    assert meter.snapshot(1.0).requests["ok"] == 0


ANY_TIME = st.one_of(st.floats(), st.floats(0, 2000))


@given(st.lists(st.tuples(st.sampled_from("fsh"), st.integers(-5, 100), ANY_TIME), max_size=60))
@example([("f", 1, 1e300), ("f", 1, 1e308), ("s", 0, -1e308)])
def test_no_clock_makes_a_rate_negative(steps: list[tuple[str, int, float]]) -> None:
    meter = Meter()
    for kind, tokens, now in steps:
        if kind == "f":
            meter.feed(tokens, now)
        elif kind == "h":
            meter.finished(
                Outcome(
                    status="failed", ran=True, prompt_tokens=tokens, prompt_ms=now, ttft_ms=now
                ),
                now,
            )
        shot = meter.snapshot(now)
        rates = (shot.tps, shot.tps_1m, shot.tps_15m, shot.pp_tps, shot.ttft_ms)
        assert all(rate is None or 0 <= rate < float("inf") for rate in rates)
    assert len(meter._fine._tokens) == MINUTE_S


def test_the_sustained_rate_is_known_only_while_something_decodes() -> None:
    meter = Meter()
    assert meter.sustained(1000.0) is None
    for n in range(81):
        meter.feed(1, 1000 + n / 8)
    assert meter.sustained(1010.0) == pytest.approx(8)
    meter.finished(Outcome(status="ok", ran=True, completion_tokens=81), 1010.0)
    assert meter.sustained(1010.0) is None
