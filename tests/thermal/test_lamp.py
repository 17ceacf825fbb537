from __future__ import annotations

from itertools import product

import pytest

from edged.thermal.lamp import PATTERNS, Glance, Light, light


@pytest.mark.parametrize(
    ("glance", "shown"),
    [
        (Glance(), Light.IDLE),
        (Glance(busy=True), Light.BUSY),
        (Glance(paused=True), Light.PAUSED),
        (Glance(paused=True, busy=True), Light.BUSY),
        (Glance(busy=True, worse=True), Light.PROBLEM),
        (Glance(busy=True, throttled=True, worse=True), Light.THROTTLED),
        (Glance(busy=True, throttled=True, broken=True), Light.PROBLEM),
    ],
)
def test_what_matters_most_is_shown(glance: Glance, shown: Light) -> None:
    assert light(glance) is shown


def test_an_error_is_never_hidden() -> None:
    for busy, paused, throttled, worse in product((False, True), repeat=4):
        glance = Glance(busy=busy, paused=paused, throttled=throttled, worse=worse, broken=True)
        assert light(glance) is Light.PROBLEM


def test_each_light_looks_different_and_only_busy_is_steady() -> None:
    assert set(PATTERNS) == set(Light)
    assert len(set(PATTERNS.values())) == len(Light)
    assert [shown for shown, pattern in PATTERNS.items() if pattern.steady] == [Light.BUSY]


def test_a_problem_blinks_faster_than_throttling_and_only_idle_breathes() -> None:
    problem, throttled = PATTERNS[Light.PROBLEM], PATTERNS[Light.THROTTLED]
    assert problem.on_s + problem.off_s < throttled.on_s + throttled.off_s
    assert [shown for shown, pattern in PATTERNS.items() if pattern.fade_s] == [Light.IDLE]
    assert PATTERNS[Light.IDLE].off_s > 2 * PATTERNS[Light.IDLE].fade_s, "wakes while it fades"
