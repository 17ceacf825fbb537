"""Who is refused, who is told what, and who ends when."""

from __future__ import annotations

from math import inf
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.worker.cadence import Cadence
from edged.engine.worker.forecast import Forecast
from edged.engine.worker.punctual import HOLD_TOKENS, Punctual

if TYPE_CHECKING:
    from edged.engine.worker.run import Run


class FakeRun(SimpleNamespace):
    def plan(self, tokens: int) -> None:
        self.planned = tokens

    def hold(self) -> None:
        self.held = True


def run(ends_at: float, **fields: Any) -> Any:
    """100 tokens to read, begun, none of them read."""
    usual = {"prompt": [0] * 100, "work": 100, "position": 0, "begun": True}
    state = {"finish": None, "planned": None, "held": False}
    return FakeRun(**{**usual, **state, "ends_at": ends_at, **fields})


@pytest.fixture
def cadence() -> Cadence:
    return Cadence()


@pytest.fixture
def punctual(cadence: Cadence) -> Punctual:
    """0.1 s for a token of a prompt, 0.5 s for one of an answer."""
    return Punctual(Forecast(0.2, 0.5), cadence)


@pytest.mark.parametrize(
    ("ends_at", "known", "planned"), [(20.0, 0, 21), (10.0, 0, 1), (10.0, 50, 11), (0.1, 100, 1)]
)
def test_what_fits_is_planned(punctual: Punctual, ends_at: float, known: int, planned: int) -> None:
    asked = run(ends_at)
    assert punctual.plan(asked, known, 0.0) is None
    assert asked.planned == planned


def test_a_forecast_may_be_off_by_a_tenth(punctual: Punctual) -> None:
    asked = run(9.1)
    assert punctual.plan(asked, 0, 0.0) is None
    assert asked.planned == 1


def test_who_can_not_be_read_in_time_is_told_the_numbers(punctual: Punctual) -> None:
    refusal = punctual.plan(run(5.0), 20, 1.0)
    assert refusal is not None
    for words in ("80 tokens", "of 100", "8.0 s", "4.0 s are left"):
        assert words in refusal
    assert "0.0 s are left" in (punctual.plan(run(-9.0), 0, 0.0) or "")


def test_who_is_sent_away_again_and_again_may_try(punctual: Punctual) -> None:
    refusals = [punctual.plan(run(3.0), 0, 0.0) is not None for _ in range(20)]
    assert refusals == sorted(refusals, reverse=True)
    assert 5 < sum(refusals) < 15


def enforced(punctual: Punctual, asked: Run, now: float = 0.0) -> str | None:
    punctual.enforce([asked], now)
    return asked.finish


def test_who_may_take_any_time_is_left_alone(punctual: Punctual) -> None:
    asked = run(inf)
    assert enforced(punctual, asked, 1e9) is None
    assert not asked.held
    assert enforced(punctual, run(1.0, finish="stop"), 2.0) == "stop"


def test_a_prompt_is_given_up_once_it_can_not_be_read_in_time(punctual: Punctual) -> None:
    assert enforced(punctual, run(9.1)) is None
    assert enforced(punctual, run(8.9)) == "deadline"
    assert enforced(punctual, run(8.9, position=50)) is None
    assert enforced(punctual, run(8.9, begun=False)) is None, "much of it may be known"
    assert enforced(punctual, run(8.9, begun=False), 8.9) == "deadline"


def test_a_token_that_would_be_late_is_not_begun(punctual: Punctual, cadence: Cadence) -> None:
    assert enforced(punctual, run(0.6, position=100)) is None
    assert enforced(punctual, run(0.4, position=105)) == "deadline"
    cadence.set(0.1)
    cadence.took(0.0)
    assert enforced(punctual, run(7.9, position=100)) == "deadline", "it is due in 7.5 s"


def test_near_the_end_it_is_held_back(punctual: Punctual) -> None:
    near = HOLD_TOKENS * 0.5
    for ends_at, held in ((near + 0.1, False), (near, True)):
        asked = run(ends_at, position=100)
        punctual.enforce([asked], 0.0)
        assert (asked.finish, asked.held) == (None, held)
