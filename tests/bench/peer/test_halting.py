"""llama-bench does one test at a time and stands still otherwise; a small stand-in plays it."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from bench.peer import halting
from bench.peer.halting import HaltingBench
from bench.peer.programs import Same
from bench.peer.reports import bench_rows

RECORDED = Path(__file__).with_name("recorded") / "llama-bench.json"
SAME = Same(model=Path("/m.gguf"), threads=3, batch=256)
PAUSE_S = 0.1  # of the stand-in
LONGER_S = 0.5

pytestmark = pytest.mark.process


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "llama-bench"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(halting, "folder", lambda: folder)


def test_each_row_is_one_test_and_between_them_it_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = bench_rows(RECORDED.read_bytes())
    for number, row in enumerate(rows):
        (tmp_path / str(number)).write_bytes(msgspec.json.encode(row) + b"\n")
    script = (
        f'cd {tmp_path}; echo "$@" > told; cat 0; sleep {PAUSE_S}; touch begun; cat 1; sleep 60'
    )
    stand_in(tmp_path, monkeypatch, script)
    with HaltingBench(SAME, (512,), (128, 128)) as peer:
        assert peer.row() == rows[0]
        time.sleep(LONGER_S)
        assert not (tmp_path / "begun").exists(), "it went on while another one was measured"
        assert peer.row() == rows[1]
        assert (tmp_path / "begun").exists()
    assert (tmp_path / "told").read_text().strip() == (
        "-m /m.gguf -t 3 -b 256 -ub 256 -fa auto -ctk f16 -ctv f16"
        " -p 512 -n 128,128 -r 1 --delay 2 -o jsonl"
    )


def test_what_is_not_to_be_tested_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, f'echo "$@" > {tmp_path}/told')
    with HaltingBench(SAME, (), (128,)) as peer, pytest.raises(ChildProcessError):
        peer.row()
    assert "-p 0 -n 128 " in (tmp_path / "told").read_text()


def test_one_that_ends_early_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "echo no such model >&2; exit 7")
    with (
        HaltingBench(SAME, (512,), ()) as peer,
        pytest.raises(ChildProcessError, match="exit code 7\nno such model"),
    ):
        peer.row()
