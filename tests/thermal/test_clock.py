from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.thermal import clock
from edged.thermal.clock import POLICY
from edged.thermal.readings import Clock, NoReading
from tests.thermal.heat import HEAT

if TYPE_CHECKING:
    from pathlib import Path


def policy(root: Path, **files: str) -> Path:
    folder = root / POLICY
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
    return root


def test_a_pi_that_is_throttled_runs_below_its_highest_clock() -> None:
    assert clock.read(HEAT / "throttled") == Clock(1_500_000, 2_400_000, "ondemand")


def test_only_the_clock_itself_is_needed(tmp_path: Path) -> None:
    assert clock.read(policy(tmp_path, scaling_cur_freq="1800000")) == Clock(1_800_000)


@pytest.mark.parametrize("text", ["", "fast", "0", "-5", "9" * 30])
def test_nonsense_is_no_clock(tmp_path: Path, text: str) -> None:
    found = clock.read(policy(tmp_path, scaling_cur_freq=text))
    assert isinstance(found, NoReading)


def test_no_cpufreq_is_told(tmp_path: Path) -> None:
    found = clock.read(tmp_path)
    assert isinstance(found, NoReading)
    assert "scaling_cur_freq" in found.reason
