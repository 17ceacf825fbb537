from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edged.mqtt.failure import CLOSED_PORT_CAP_S, Failure, by_reason, delay

rolls = st.floats(0, 1, exclude_max=True)
LOST = Failure(code="connection_lost", text="")


def test_reasons_have_words_and_know_whether_they_pass() -> None:
    assert by_reason(134, "Bad user name or password") == Failure(
        code="bad_credentials", text="the broker says: Bad user name or password", refusal=True
    )
    assert not by_reason(136, "Server unavailable").refusal
    assert by_reason(142, "Session taken over").refusal
    assert by_reason(255, "?") == Failure(code="refused", text="the broker says: ?", refusal=True)
    assert not by_reason(0, "Normal disconnection").refusal


@given(st.integers(0, 10**9), st.floats(1, 3600), rolls)
def test_jitter_is_full_and_capped(attempt: int, cap: float, roll: float) -> None:
    wait = delay(LOST, attempt, cap, roll)
    assert 0 <= wait <= cap
    assert wait == roll * min(cap, 1.5 ** min(attempt, 40))


@given(st.integers(0, 100), rolls)
def test_a_refusal_waits_for_a_human(attempt: int, roll: float) -> None:
    refusal = Failure(code="bad_credentials", text="", refusal=True)
    assert 30 <= delay(refusal, attempt, 1.0, roll) <= 60


@given(st.integers(0, 100), rolls)
def test_a_closed_port_is_tried_often(attempt: int, roll: float) -> None:
    closed = Failure(code="connection_refused", text="")
    assert delay(closed, attempt, 60.0, roll) <= CLOSED_PORT_CAP_S < 10
    assert delay(closed, attempt, 2.0, roll) <= 2
