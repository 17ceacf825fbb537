"""`bench.all` runs on when a bench fails, and says so in its exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bench import all as every
from bench.page import Section
from bench.report import Result, told

if TYPE_CHECKING:
    from pathlib import Path

WRITES = """
import pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
out.write_text('{"figures": [], "notes": ["%s"]}' % ("--full" in sys.argv))
"""
FAILS = "import sys; sys.exit('no broker here')"


def test_a_bench_hands_back_its_result() -> None:
    section, code = every.run_one("x", full=True, command=(sys.executable, "-c", WRITES))
    assert code == 0
    assert section.result is not None
    assert section.result.notes == ("True",)


def test_a_bench_that_fails_hands_back_why() -> None:
    section, code = every.run_one("x", full=False, command=(sys.executable, "-c", FAILS))
    assert code == 1
    assert section.result is None
    assert "no broker here" in section.trouble


def test_a_bench_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(every, "TIMEOUT_S", 0.2)
    hangs = (sys.executable, "-c", "import time; time.sleep(60)")
    section, code = every.run_one("x", full=False, command=hangs)
    assert code == 1
    assert "still running" in section.trouble


def test_a_bench_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(every, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(every, "END_S", 0.1)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    section, _ = every.run_one("x", full=False, command=(sys.executable, "-c", code))
    assert "still running" in section.trouble


def test_all_run_and_one_failure_fails_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def run_one(name: str, *, full: bool) -> tuple[Section, int]:
        ran.append((name, full))
        if name == "idle":
            return Section(name=name, trouble="broke"), 1
        return Section(name=name, result=Result(figures=(told("a", 1),))), 0

    monkeypatch.setattr(every, "run_one", run_one)
    page = tmp_path / "report.html"
    assert every.main(["--page", str(page)]) == 1
    assert [name for name, _ in ran] == list(every.BENCHES)
    assert "broke" in page.read_text()
    assert every.main(["flood", "--full", "--page", str(page)]) == 0
    assert ran[-1] == ("flood", True)


def test_a_bench_nobody_wrote_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        every.main(["tea"])
    assert "no such bench: tea" in capsys.readouterr().err
