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
        timeout=400,
        check=False,
    )


@pytest.mark.process
@pytest.mark.timeout(450)
def test_the_demo_answers_for_real_shows_its_rates_and_chooses_a_file() -> None:
    done = run(["--prompt", "Tell me about the kitchen."])
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 3
    assert re.search(r"\[\d+ tokens, [\d.]+ tok/s", done.stderr)
    assert done.stderr.count("Tell me about the kitchen.") == 2
    assert "decode, last minute" in done.stderr
    assert_the_choice_is_shown(done.stderr)
    left = [p for p in psutil.process_iter(["cmdline"]) if "edged-demo-" in str(p.info["cmdline"])]
    assert not left


def assert_the_choice_is_shown(text: str) -> None:
    """Files with quality, a choice by measured speed, raised targets, and another file's answer."""
    assert re.search(r"pocket-Q4_K\.gguf +3\.0 MB +99\.\d+ %", text)
    plain = " ".join(text.split())
    assert re.search(r"pocket-Q\d_[K0]: [\d.]+ tok/s \(measured\) meets 8,", plain)
    assert "the target is raised to" in plain
    assert re.search(r"not pocket-Q\d_[K0]: [\d.]+ tok/s", plain)
    assert re.search(r"first token after [\d.]+ s, pocket-Q\d_[K0], ", plain)


def test_without_a_broker_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_kwargs: None)
    with pytest.raises(EdgedError, match="apt install mosquitto"), demo._broker(tmp_path):
        pytest.fail("there is no broker to enter")
