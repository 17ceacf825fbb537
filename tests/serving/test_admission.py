"""Who is refused is told why and when to come back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.serving.admission import (
    COOLING_S,
    MAX_RETRY_S,
    MAX_UNCONFIRMED,
    MIN_RETRY_S,
    Admitted,
    Load,
    Rejected,
    admit,
)


def load(**given: Any) -> Load:
    usual: dict[str, Any] = {
        "waiting": 0,
        "waiting_of_client": 0,
        "running": 1,
        "capacity": 4,
        "per_client": 3,
        "slots": 1,
        "unconfirmed": 0,
        "avg_service_s": 10.0,
    }
    return Load(**(usual | given))


def test_room_is_given() -> None:
    assert admit(load(waiting=3, waiting_of_client=2)) == Admitted()


@pytest.mark.parametrize(
    ("given", "code", "retry"),
    [
        ({"draining": True, "paused": True}, "shutting_down", None),
        ({"fatal": "SIGILL", "paused": True}, "unavailable", None),
        ({"paused": True, "waiting": 9}, "paused", None),
        ({"paused": True, "too_hot": True}, "paused", None),
        ({"too_hot": True, "cool_in_s": 42.06, "waiting": 9}, "too_hot", 42.1),
        ({"too_hot": True, "cool_in_s": 0.0}, "too_hot", MIN_RETRY_S),
        ({"too_hot": True, "cool_in_s": 9e9}, "too_hot", MAX_RETRY_S),
        ({"too_hot": True}, "too_hot", COOLING_S),
        ({"waiting": 4}, "busy", 30.0),
        ({"waiting": 4, "slots": 2}, "busy", 15.0),
        ({"waiting": 3, "waiting_of_client": 3}, "too_many", 25.0),
        ({"unconfirmed": MAX_UNCONFIRMED}, "busy", 10.0),
        ({"answer_within": 9.9, "start_in_s": 20.0}, "too_late", 10.1),
        ({"answer_within": 0.1}, "too_late", MIN_RETRY_S),
        ({"answer_within": 0.1, "waiting": 4}, "busy", 30.0),
        ({"waiting": 4, "avg_service_s": 0.0}, "busy", MIN_RETRY_S),
        ({"waiting": 4, "avg_service_s": 9e9}, "busy", MAX_RETRY_S),
    ],
)
def test_refusals(given: dict[str, Any], code: str, retry: float | None) -> None:
    verdict = admit(load(**given))
    assert isinstance(verdict, Rejected)
    assert (verdict.code, verdict.retry_after_s) == (code, retry)
    assert verdict.message


def test_who_might_be_in_time_is_not_sent_away() -> None:
    assert admit(load(answer_within=10.5, start_in_s=20.0)) == Admitted()
    assert admit(load(answer_within=0.5)) == Admitted()


def test_both_numbers_of_one_who_is_too_late_are_told() -> None:
    verdict = admit(load(answer_within=5.0, start_in_s=61.234))
    assert isinstance(verdict, Rejected)
    assert verdict.message == "it would start in about 61.2 s, and answer_within is 5 s"


def test_reason_of_the_engine_is_told() -> None:
    verdict = admit(load(fatal="SIGILL"))
    assert isinstance(verdict, Rejected)
    assert "SIGILL" in verdict.message


@settings(deadline=None)
@given(waiting=st.integers(0, 3), of_client=st.integers(0, 3))
def test_a_quiet_client_has_places_that_a_loud_one_can_not_take(
    waiting: int, of_client: int
) -> None:
    loud = admit(load(waiting=waiting, waiting_of_client=of_client))
    quiet = admit(load(waiting=waiting))
    assert isinstance(quiet, Admitted)
    assert isinstance(loud, Rejected) == (of_client == 3)
