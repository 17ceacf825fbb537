"""The simulated board's files, its heat from a real process, and the live proof in short."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from bench import heat
from bench.heat_board import Board, Tree
from bench.heat_verdict import Row
from bench.plant.board import Plant
from bench.plant.coolers import ACTIVE, BARE
from edged.thermal.readings import Alarm, Clock, Fan, NoReading
from edged.thermal.senses import look

if TYPE_CHECKING:
    from pathlib import Path

SPIN = [sys.executable, "-c", "while True: pass"]


def test_the_sensors_read_what_the_plant_wrote(tmp_path: Path) -> None:
    tree, plant = Tree(tmp_path), Plant(ACTIVE, 25.0)
    found = plant.step(300.0, 4.0)
    tree.tell(found, fan=True)
    senses = look(tmp_path)
    assert senses.celsius == pytest.approx(found.celsius, abs=0.001)
    assert senses.clock == Clock(2_400_000, 2_400_000, "ondemand")
    assert senses.alarm == Alarm(on=False)
    assert isinstance(senses.fan, Fan)
    assert senses.fan.rpm
    assert not senses.soft


def test_a_board_without_a_fan_has_none_and_a_hot_one_is_throttled(tmp_path: Path) -> None:
    tree, plant = Tree(tmp_path), Plant(BARE, 30.0)
    tree.tell(plant.step(1200.0, 4.0), fan=False)
    senses = look(tmp_path)
    assert isinstance(senses.fan, NoReading)
    assert senses.soft
    assert senses.capped
    assert isinstance(senses.clock, Clock)
    assert senses.clock.khz < 2_400_000


@pytest.mark.process
def test_a_busy_process_heats_it_and_a_fan_cools_it(tmp_path: Path) -> None:
    busy = subprocess.Popen(SPIN)
    try:
        with Board(Tree(tmp_path), ambient=25.0, threads=1, speed=4.0) as board:
            rest = board.look.celsius
            board.follow(busy.pid)
            until = time.monotonic() + 60.0
            while board.look.celsius < rest + 10.0:
                assert time.monotonic() < until, "it does not heat up"
                time.sleep(0.05)
            board.mount_fan()
            busy.kill()
            busy.wait()
            hot = board.hottest
            while board.look.celsius > hot - 5.0:
                assert time.monotonic() < until, "it does not cool down"
                time.sleep(0.05)
            assert (tmp_path / "sys/class/hwmon/hwmon2/name").exists()
    finally:
        busy.kill()
        busy.wait()


def test_a_row_fits_a_terminal() -> None:
    row = Row(at=100.0, celsius=79.9, throttle="paced", tps=1000.0, pace_tps=999.0)
    state = {"possible_tps": 1000.0, "threads": 4, "fan_rpm": 8000, "cooldown_eta_s": 3600.0}
    text = heat.line(row, state)
    assert len(text) <= 120
    for part in ("79.9 C", "paced", "1000 tok/s", "held to 999", "4 threads", "free in 3600 s"):
        assert part in text
    unknown = heat.line(Row(at=0.0), {})
    assert " - C" in unknown
    assert "hot in - s" in unknown


@pytest.mark.process
@pytest.mark.timeout(300)
def test_the_live_proof_in_short_heats_and_paces() -> None:
    """Too short to recover; the whole of it is `make demo-heat`."""
    out = io.StringIO()
    checks = heat.run(Console(file=out, width=120), hot_s=40.0, cool_s=3.0, speed=3.0)
    met = {check.name for check in checks if check.ok}
    assert {"it heated up", "it was paced", "every prompt was answered"} <= met, out.getvalue()
    assert "A fan is put on" in out.getvalue()
    assert "journal: NOTICE paced" in out.getvalue()
    table = Console(file=io.StringIO(), width=120, record=True)
    table.print(heat.report(checks))
    assert "missed" in table.export_text(), "it had no time to recover"
