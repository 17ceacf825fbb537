from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.health import BLIP_S, KINDS, MAX_DETAIL, Health, Kind, Severity

CODES = st.sampled_from(sorted(KINDS))


def codes(health: Health, now: float) -> list[str]:
    return [problem.code for problem in health.visible(now)]


def test_a_problem_is_visible_until_cleared() -> None:
    health = Health()
    assert health.raise_("model_bad", 5.0, "not a GGUF file")
    (problem,) = health.visible(5.0)
    assert problem.text == "The model file cannot be used: not a GGUF file"
    assert (problem.severity, problem.since) == (Severity.ERROR, 5.0)
    assert health.clear("model_bad")
    assert not health.clear("model_bad")
    assert health.visible(6.0) == []


def test_raising_twice_keeps_since_and_renews_the_detail() -> None:
    health = Health()
    health.raise_("model_bad", 5.0, "one")
    assert not health.raise_("model_bad", 9.0, "two")
    (problem,) = health.visible(9.0)
    assert problem.since == 5.0
    assert problem.text.endswith("two")


def test_a_blip_is_not_shown() -> None:
    health = Health()
    health.raise_("broker_unreachable", 100.0)
    assert codes(health, 100.0 + BLIP_S - 0.1) == []
    assert health.active("broker_unreachable")
    assert codes(health, 100.0 + BLIP_S) == ["broker_unreachable"]


def test_a_clock_that_runs_back_hides_nothing_that_shows_at_once() -> None:
    health = Health()
    health.raise_("model_bad", 100.0)
    assert codes(health, 50.0) == ["model_bad"]


def test_a_cause_silences_its_consequences_from_its_first_moment() -> None:
    health = Health()
    health.raise_("subscribe_refused", 0.0, "edged/a/request")
    assert codes(health, 1.0) == ["subscribe_refused"]
    health.raise_("broker_unreachable", 2.0)
    assert codes(health, 3.0) == []
    assert codes(health, 20.0) == ["broker_unreachable"]
    health.clear("broker_unreachable")
    assert codes(health, 21.0) == ["subscribe_refused"]


def test_the_worst_comes_first_and_then_the_oldest() -> None:
    health = Health()
    health.raise_("config_rejected", 0.0)
    health.raise_("model_bad", 2.0)
    health.raise_("engine_fatal", 1.0)
    health.raise_("subscribe_refused", 1.0)
    assert codes(health, 99.0) == ["subscribe_refused", "model_bad", "config_rejected"]


def test_text_from_outside_is_one_short_line() -> None:
    health = Health()
    health.raise_("broker_refused", 0.0, "\n\x1b[31m{detail}" + "x" * 1000)
    (problem,) = health.visible(0.0)
    assert problem.text.isprintable()
    assert len(problem.text) < MAX_DETAIL + 100
    health.raise_("broker_refused", 0.0, "")
    assert "no more is known" in health.visible(0.0)[0].text


@pytest.mark.parametrize("code", ["", "no_such"])
def test_an_unknown_code_is_a_mistake_of_the_caller(code: str) -> None:
    with pytest.raises(KeyError):
        Health().raise_(code, 0.0)
    with pytest.raises(KeyError):
        Health().clear(code)


@pytest.mark.parametrize("code", sorted(KINDS))
def test_the_table_names_only_its_own_codes_and_has_no_circle(code: str) -> None:
    seen: set[str] = set()
    todo = list(KINDS[code].depends_on)
    while todo:
        cause = todo.pop()
        assert cause != code, "a circle would silence itself"
        if cause not in seen:
            seen.add(cause)
            todo += KINDS[cause].depends_on
    # so that one look at the direct causes is enough
    assert seen == set(KINDS[code].depends_on)
    assert KINDS[code].text.format(detail="x").isprintable()


@given(st.lists(st.tuples(st.booleans(), CODES, st.floats(0, 100))), st.floats(0, 200))
def test_something_raised_long_enough_always_shows_a_root(
    steps: list[tuple[bool, str, float]], later: float
) -> None:
    health, raised = Health(), set[str]()
    for up, code, now in steps:
        if up:
            health.raise_(code, now)
            raised.add(code)
        else:
            health.clear(code)
            raised.discard(code)
    shown = codes(health, 300.0 + later)
    assert bool(shown) == bool(raised)
    assert set(shown) == {code for code in raised if not raised & set(KINDS[code].depends_on)}


def test_a_table_of_ones_own_serves_too() -> None:
    health = Health({"x": Kind(Severity.WARNING, "{detail}", visible_after=1.0)})
    health.raise_("x", 0.0, "y")
    assert [problem.text for problem in health.visible(1.0)] == ["y"]
