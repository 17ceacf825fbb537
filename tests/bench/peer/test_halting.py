"""llama-bench does one test at a time and stands still otherwise; a small stand-in plays it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.peer import halting
from bench.peer.halting import HaltingBench
from bench.peer.programs import Same
from tests.bench.peer.recordings import bench_rows

if TYPE_CHECKING:
    from bench.peer.reports import BenchRow

SAME = Same(model=Path("/m.gguf"), threads=3, batch=256)
PAUSE_S = 0.1  # of the stand-in
LONGER_S = 0.5
SAYS = "echo 'llama-bench: benchmark 1/3: prompt run 1/1'"

pytestmark = pytest.mark.process


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "llama-bench"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(halting, "folder", lambda: folder)


def told(peer: HaltingBench) -> BenchRow:
    """One test, which is let go on at once."""
    peer.begin()
    peer.turns.go()
    assert peer.over(60.0)
    peer.turns.halt()
    return timeless(peer.row())


def timeless(row: BenchRow) -> BenchRow:
    return msgspec.structs.replace(row, samples_ns=())


def test_each_row_is_one_test_and_between_them_it_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = bench_rows()
    for number, row in enumerate(rows):
        (tmp_path / str(number)).write_bytes(msgspec.json.encode(row) + b"\n")
    script = (
        f'cd {tmp_path}; echo "$@" > told; {SAYS} >&2; cat 0;'
        f" sleep {PAUSE_S}; touch begun; {SAYS} >&2; cat 1; sleep 60"
    )
    stand_in(tmp_path, monkeypatch, script)
    with HaltingBench(SAME, (512,), (128, 128)) as peer:
        assert told(peer) == timeless(rows[0])
        time.sleep(LONGER_S)
        assert not (tmp_path / "begun").exists(), "it went on while another one was measured"
        assert told(peer) == timeless(rows[1])
        assert (tmp_path / "begun").exists()
    assert (tmp_path / "told").read_text().strip() == (
        "-m /m.gguf -t 3 -b 256 -ub 256 -fa auto -ctk f16 -ctv f16"
        " -p 512 -n 128,128 -r 1 --delay 2 --progress -o jsonl"
    )


def test_the_time_that_it_stood_still_is_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = msgspec.structs.replace(bench_rows()[0], samples_ns=(10**10,))
    (tmp_path / "row").write_bytes(msgspec.json.encode(row) + b"\n")
    script = f"cd {tmp_path}; {SAYS} >&2; sleep {PAUSE_S}; cat row; sleep 60"
    stand_in(tmp_path, monkeypatch, script)
    with HaltingBench(SAME, (512,), ()) as peer:
        peer.begin()
        time.sleep(LONGER_S)
        assert not peer.over(0.0)
        peer.turns.go()
        assert peer.over(60.0)
        peer.turns.halt()
        [sample] = peer.row().samples_ns
    assert LONGER_S <= (10**10 - sample) / 1e9 < 60.0


def test_what_is_not_to_be_tested_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, f'echo "$@" > {tmp_path}/told')
    with HaltingBench(SAME, (), (128,)) as peer, pytest.raises(ChildProcessError):
        peer.begin()
    assert "-p 0 -n 128 " in (tmp_path / "told").read_text()


def test_one_that_ends_early_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "echo no such model >&2; exit 7")
    with (
        HaltingBench(SAME, (512,), ()) as peer,
        pytest.raises(ChildProcessError, match="exit code 7\nno such model"),
    ):
        peer.begin()
