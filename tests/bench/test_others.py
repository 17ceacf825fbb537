"""Strangers on the cores are noticed, and our own processes are none."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil

from bench import others
from bench.busy import neighbour
from bench.others import Others, wait_quiet, wait_settled

if TYPE_CHECKING:
    from pathlib import Path

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


def test_what_goes_back_to_the_host_is_waited_for(tmp_path: Path) -> None:
    counter = tmp_path / "reported_kib"
    counter.write_text("1\n")
    written = [threading.Timer(at, counter.write_text, (f"{at}\n",)) for at in (0.1, 0.3)]
    for timer in written:
        timer.start()
    began = time.monotonic()
    wait_settled(counter, 0.25)
    assert time.monotonic() - began > 0.5
    assert counter.read_text() == "0.3\n"


def test_a_machine_that_tells_nothing_or_never_settles_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_settled(tmp_path / "missing", 1000.0)
    told = itertools.count(1)
    monkeypatch.setattr(others, "_told", lambda _: str(next(told)))
    began = time.monotonic()
    wait_settled(tmp_path, 0.01, 0.1)
    assert time.monotonic() - began < 5


def test_waiting_has_an_end() -> None:
    began = time.monotonic()
    wait_quiet(0.1)
    assert time.monotonic() - began < 5
