"""A stand-in of llama-server in the place where `make peers` puts the real one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.peer import server

FAKE = Path(__file__).with_name("fake_server.py")


@pytest.fixture
def fake_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ServerProcess` starts the stand-in."""
    program = tmp_path / "llama-server"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(server, "folder", lambda: tmp_path)
