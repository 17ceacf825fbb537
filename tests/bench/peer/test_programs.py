"""The peers are found, and one is told what to do if they are missing."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from bench.peer.programs import folder

if TYPE_CHECKING:
    from pathlib import Path


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
