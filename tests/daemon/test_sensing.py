from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.daemon.sensing import sense
from edged.models.tuning import Sense
from edged.thermal.clock import POLICY

if TYPE_CHECKING:
    from pathlib import Path


def board(root: Path, temp: str | None = "48312\n", clock: str | None = "2400000\n") -> Path:
    if temp is not None:
        zone = root / "sys/class/thermal/thermal_zone0"
        zone.mkdir(parents=True)
        (zone / "type").write_text("cpu-thermal\n")
        (zone / "temp").write_text(temp)
    if clock is not None:
        path = root / POLICY / "scaling_cur_freq"
        path.parent.mkdir(parents=True)
        path.write_text(clock)
    return root


def test_both_are_read(tmp_path: Path) -> None:
    assert sense(board(tmp_path)) == Sense(48.312, 2_400_000)


def test_each_may_be_missing(tmp_path: Path) -> None:
    assert sense(tmp_path / "empty") == Sense(None, None)
    assert sense(board(tmp_path / "a", temp=None)) == Sense(None, 2_400_000)
    assert sense(board(tmp_path / "b", clock=None)) == Sense(48.312, None)


@pytest.mark.parametrize("clock", ["", "fast", "0", "-5", "9" * 40])
def test_a_clock_that_says_nonsense_is_unknown(tmp_path: Path, clock: str) -> None:
    assert sense(board(tmp_path, clock=clock)) == Sense(48.312, None)
