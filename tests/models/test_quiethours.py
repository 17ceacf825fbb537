from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.models.quiethours import MINUTES, QuietHours, quiet_hours

MINUTE = st.integers(0, MINUTES - 1)


def test_hours_over_midnight_and_within_a_day() -> None:
    night = quiet_hours("22:00-06:30")
    assert night == QuietHours(1320, 390)
    assert [night.wait(m) for m in (1319, 1320, 1439, 0, 389, 390)] == [0, 510, 391, 390, 1, 0]
    day = quiet_hours("08:00-09:00")
    assert day is not None
    assert [day.wait(m) for m in (479, 480, 539, 540)] == [0, 60, 1, 0]
    assert quiet_hours(None) is None


@pytest.mark.parametrize("text", ["", "8:00-9:00", "08:00", "24:00-01:00", "08:60-09:00", "x"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not HH:MM-HH:MM"):
        quiet_hours(text)


@given(MINUTE, MINUTE, MINUTE)
def test_after_the_wait_it_is_not_quiet(start: int, end: int, minute: int) -> None:
    hours = QuietHours(start, end)
    wait = hours.wait(minute)
    assert 0 <= wait < MINUTES
    after = (minute + wait) % MINUTES
    assert hours.wait(after) == 0
    assert wait == 0 or after == end
