from __future__ import annotations

from typing import TYPE_CHECKING

from edged.doctor.facts import Kernel, Skipped
from edged.doctor.kernel import kernel, synchronised
from tests.thermal.heat import BOARDS, HEAT

if TYPE_CHECKING:
    from pathlib import Path


def test_a_recorded_pi_5() -> None:
    found = kernel(BOARDS / "pi5-16gb")
    assert "numa=fake=8" in found.command_line
    assert (found.nodes, found.banklow, found.cpu, found.swapped) == (8, 1, 0.4, 0)
    assert kernel(HEAT / "busy").cpu == 46.18


def test_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    assert kernel(tmp_path) == Kernel()


def test_the_clock_is_set_by_timesyncd_or_by_nobody_we_know(tmp_path: Path) -> None:
    assert synchronised(BOARDS / "pi5-8gb") is True
    assert synchronised(BOARDS / "pi4-4gb") is False
    assert isinstance(synchronised(tmp_path), Skipped)
