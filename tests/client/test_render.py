from __future__ import annotations

import pytest
from rich.console import Console

from edged.client.render import duration, number, rows, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (8.9, "8 s"), (67, "1 min 7 s"), (3600, "1 h"), (200_000, "2 d 7 h"), (None, "-")],
)
def test_durations_have_at_most_two_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(8.03, "8.0 tok/s"), (None, "-"), (True, "-")])
def test_an_unknown_number_is_a_dash_and_never_zero(value: object, text: str) -> None:
    assert number(value, "tok/s") == text


def test_rows_stand_without_any_state() -> None:
    shown = dict(rows("unknown", {}, {}))
    assert shown["decode now"] == "-"
    assert shown["answered"] == "nothing yet"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({}, "-"),
        ({"throttle": "none", "pace_tps": None}, "nothing"),
        ({"throttle": "undervoltage"}, "undervoltage"),
        (
            {"throttle": "paced", "pace_tps": 8.0, "possible_tps": 12.0},
            "paced, each answer to 8.0 tok/s, 12.0 tok/s would be possible",
        ),
    ],
)
def test_what_slows_it_is_said(state: dict[str, object], said: str) -> None:
    assert dict(rows("online", state, {}))["slowed by"] == said


def test_problems_are_listed() -> None:
    problem = {"code": "ledger_lost", "severity": "warning", "text": "the disk is full"}
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table("n", "online", {"problems": [problem]}, {}))
    assert "ledger_lost: the disk is full" in capture.get()
