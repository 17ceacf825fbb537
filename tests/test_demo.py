from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from edged import demo
from edged.errors import EdgedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def run(arguments: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edged.cli", "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.process
def test_the_demo_streams_a_real_answer_and_shows_tokens_per_second() -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 3
    assert re.search(r"\[\d+ tokens, [\d.]+ tok/s", done.stderr)
    assert "decode, last minute" in done.stderr
    left = [p for p in psutil.process_iter(["cmdline"]) if "edged-demo-" in str(p.info["cmdline"])]
    assert not left


@pytest.mark.process
def test_the_demo_asks_what_it_is_told() -> None:
    done = run(["--prompt", "Is the kitchen warm?"])
    assert done.returncode == 0, done.stderr
    assert "Is the kitchen warm?" in done.stderr


def test_without_a_broker_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_kwargs: None)
    with pytest.raises(EdgedError, match="apt install mosquitto"), demo._broker(tmp_path):
        pytest.fail("there is no broker to enter")
