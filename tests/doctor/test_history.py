from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from edged.doctor.history import rate
from edged.doctor.slowness import causes
from tests.doctor.judging import told
from tests.doctor.recordedrates import BEFORE, NOW, OLD_KERNEL, codes, facts, rates, taken
from tests.models.values import prediction

if TYPE_CHECKING:
    from edged.models.figures import Measurement


@pytest.mark.parametrize(
    ("sustained", "measured", "code", "severity"),
    [
        (None, None, "rate", "skipped"),
        (8.1, 8.4, "rate", "ok"),
        (None, 8.4, "rate", "ok"),
        (8.1, None, "rate", "ok"),
        (6.0, 8.4, "slower_than_measured", "warning"),
        (5.9, 6.2, "below_target", "advice"),
        (None, 6.2, "below_target", "advice"),
    ],
)
def test_a_rate_is_held_against_what_was_measured_and_wanted(
    sustained: float | None, measured: float | None, code: str, severity: str
) -> None:
    known = [] if measured is None else [taken(measured)]
    assert told(rate(rates(*known, sustained=sustained), 8.0)) == (code, severity)


def test_the_rates_are_told() -> None:
    found = rate(rates(taken(8.4), sustained=8.1), 8.0)
    assert found.evidence == "v: 8.40 tok/s measured, 8.10 over the last 15 minutes"


def test_another_engine_is_told_from_another_board() -> None:
    engine = causes(facts(rates(taken(8.4, BEFORE), taken(7.0))))[0]
    assert told(engine) == ("slow_by_engine", "warning")
    assert engine.evidence == "8.40 tok/s before, 7.00 now (-17%)"
    elsewhere = replace(taken(8.4), board=OLD_KERNEL.fingerprint(NOW))
    board = causes(facts(rates(elsewhere, taken(7.0))))[0]
    assert told(board) == ("slow_by_board", "warning")
    both = replace(taken(8.4, BEFORE), board=OLD_KERNEL.fingerprint(BEFORE))
    assert codes(facts(rates(both, taken(7.0)))) == ["slow_by_board"]


def test_a_difference_within_the_error_or_a_hot_one_accuses_nobody() -> None:
    assert codes(facts(rates(taken(8.4, BEFORE), taken(8.1)))) == ["slow"]
    assert codes(facts(rates(taken(9.9, BEFORE, hot=True), taken(8.1)))) == ["slow"]
    assert codes(facts(rates(taken(8.4, BEFORE), taken(7.0, hot=True)))) == ["slow_by_heat"]
    other = replace(taken(9.9, BEFORE), digest="another file")
    assert codes(facts(rates(other, taken(8.1)))) == ["slow"]


def test_the_last_of_several_before_counts_first() -> None:
    known = (taken(8.0, "llama 0", wall=1.0), taken(9.0, BEFORE, wall=2.0), taken(7.0, wall=3.0))
    assert causes(facts(rates(*known)))[0].evidence.startswith("9.00 tok/s before")


@pytest.mark.parametrize(
    ("before", "code"),
    [
        (taken(8.4, BEFORE), "engine_changed"),
        (replace(taken(8.4), board=OLD_KERNEL.fingerprint(NOW)), "board_changed"),
    ],
)
def test_what_was_not_measured_since_a_change_is_to_be_measured(
    before: Measurement, code: str
) -> None:
    found = causes(facts(rates(before)))[0]
    assert told(found) == (code, "advice")
    assert "8.40 tok/s before" in found.evidence


def test_a_file_below_its_calibration_is_told() -> None:
    promised = prediction(10.0)  # 9 to 11
    assert codes(facts(rates(taken(8.5), promised=promised))) == ["slower_than_calibrated"]
    assert codes(facts(rates(taken(8.6), promised=promised))) == ["slow"]
    assert codes(facts(rates(promised=promised))) == ["slow"]
    assert codes(facts(rates(taken(8.0, hot=True), promised=promised))) == ["slow_by_heat"]
