"""Strangers on the cores are noticed, and our own processes are none."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

from bench import others
from bench.busy import neighbour
from bench.others import Others, wait_quiet

if TYPE_CHECKING:
    import pytest

# Its parent ends at once, so that it is nobody's child here.
STRANGER = """
import subprocess, sys
loop = "import time\\nend = time.monotonic() + 1.5\\nwhile time.monotonic() < end: pass"
subprocess.Popen([sys.executable, "-c", loop])
"""


def test_a_stranger_is_counted() -> None:
    subprocess.run([sys.executable, "-c", STRANGER], check=True)
    watch = Others()
    time.sleep(1.0)
    assert watch.cores > 0.1


def test_our_own_processes_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with neighbour():
        before = others._ours_s()
        time.sleep(0.5)
        assert others._ours_s() - before > 0.1
    readings = {"_all_s": iter([100.0, 107.0]), "_ours_s": iter([10.0, 15.0])}
    for name, values in readings.items():
        monkeypatch.setattr(others, name, values.__next__)
    clock = iter([50.0, 54.0])
    monkeypatch.setattr("bench.others.time.monotonic", clock.__next__)
    assert Others().cores == 0.5


def test_our_own_processes_count_as_ours_when_they_have_ended() -> None:
    before = others._ours_s()
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert others._ours_s() - before > 0.25
    assert others._process_s(psutil.Process()) > 0.0


def test_a_process_that_is_gone_counts_no_more() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
    assert others._process_s(process) == 0.0


def test_waiting_has_an_end() -> None:
    began = time.monotonic()
    wait_quiet(0.1)
    assert time.monotonic() - began < 5
