"""Processes work by turns, and their clock stands still with them."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import psutil
import pytest

from bench.asking import Asked
from bench.peer import turns as module
from bench.peer.turns import Player, Turns, alternate

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process
WORKS = "import sys, time\nfor n in range(100000):\n print(n, flush=True)\n time.sleep(0.001)"
STEPS = 50


def worker(path: Path) -> subprocess.Popen[bytes]:
    with path.open("wb") as file:
        return subprocess.Popen((sys.executable, "-c", WORKS), stdout=file)


def over(path: Path, timeout_s: float) -> bool:
    """Whether it has done STEPS."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if path.read_bytes().count(b"\n") >= STEPS:
            return True
        time.sleep(0.001)
    return False


def test_both_come_to_their_end_and_neither_runs_with_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE_S", 0.02)
    paths = [tmp_path / name for name in "ab"]
    with worker(paths[0]) as first, worker(paths[1]) as second:
        began = time.monotonic()
        sides = [Turns(first.pid), Turns(second.pid)]
        alternate(*map(Player, sides, [partial(over, path) for path in paths]))
        ended = time.monotonic()
        sizes = [path.stat().st_size for path in paths]
        time.sleep(0.1)
        assert [path.stat().st_size for path in paths] == sizes, "one goes on after the end"
        for process in (first, second):
            process.kill()
    assert all(path.read_bytes().count(b"\n") >= STEPS for path in paths)
    assert sum(side.ran(ended) for side in sides) <= ended - began + 0.5


def test_who_is_asked_stands_still_meanwhile_and_runs_on_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE_S", 0.02)
    paths = [tmp_path / name for name in "ab"]
    standing: list[str] = []
    with worker(paths[0]) as first, worker(paths[1]) as second:
        asked, other = (
            Player(Turns(process.pid), partial(over, path))
            for process, path in zip((first, second), paths, strict=True)
        )
        other.turns.halt()
        module.ask_beside(lambda: standing.append(state(first.pid)), asked, other)
        ended = state(first.pid), state(second.pid)
        for process in (first, second):
            process.kill()
    assert standing == ["stopped"]
    assert ended[0] != ended[1] == "stopped"
    assert all(path.read_bytes().count(b"\n") >= STEPS for path in paths)


def state(pid: int) -> str:
    """As the kernel has it; a signal takes a moment to arrive."""
    time.sleep(0.01)
    return psutil.Process(pid).status()


def test_the_clock_counts_turns_alone() -> None:
    with subprocess.Popen(("sleep", "60")) as process:
        turns = Turns(process.pid)
        turns.halt()
        halted = time.monotonic()
        turns.halt()  # once more changes nothing
        time.sleep(0.05)
        went = time.monotonic()
        turns.go()
        time.sleep(0.05)
        now = time.monotonic()
        assert turns.ran(halted) == pytest.approx(turns.ran(went), abs=0.005)
        assert turns.ran(now) - turns.ran(went) == pytest.approx(now - went, abs=0.005)
        asked = Asked(reply={}, streamed="It", sent_s=halted, first_s=went, end_s=now)
        timed = turns.timed(asked)
        assert timed.ttft_ms == pytest.approx(0, abs=5)
        assert timed.end_s == turns.ran(now)
        assert timed.streamed == "It"
        process.kill()
