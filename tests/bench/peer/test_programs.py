"""llama-bench is called with what edged is told, and one is told what to do if it is missing."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from bench.peer import programs
from bench.peer.programs import Same, folder, llama_bench


def test_without_the_peers_one_is_told_how_to_build_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="make peers"):
        folder()


def test_peers_are_those_of_the_llama_cpp_that_edged_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    peers = tmp_path / "edged" / "peers"
    (peers / "built").mkdir(parents=True)
    (peers / "built" / "llama-server").touch()
    (peers / metadata.version("llama-cpp-python")).symlink_to("built")
    assert folder() == peers / "built"


@pytest.mark.process
def test_llama_bench_is_told_the_same_as_edged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "llama-bench"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/told\necho "[]"\n')
    program.chmod(0o755)
    monkeypatch.setattr(programs, "folder", lambda: tmp_path)
    same = Same(model=Path("/m.gguf"), threads=3, batch=256)
    assert llama_bench(same, "-p", "512", "-n", "128") == ()
    told = (tmp_path / "told").read_text().strip()
    assert told == (
        "-m /m.gguf -t 3 -b 256 -ub 256 -fa auto -ctk f16 -ctv f16 -p 512 -n 128 -r 1 -o json"
    )


@pytest.mark.process
def test_a_llama_bench_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "llama-bench"
    program.write_text("#!/bin/sh\necho no such model >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(programs, "folder", lambda: tmp_path)
    with pytest.raises(ChildProcessError, match="no such model"):
        llama_bench(Same(model=Path("/m.gguf")))
