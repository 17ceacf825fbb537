from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from edged.cli import main
from edged.engine.build import build_id
from edged.models.calibration import Calibration, encode
from edged.models.calibrationfile import save_calibration
from edged.models.device import Roots, probe
from edged.verbs.calibrate import show
from tests.models.test_calibration import known, rate

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def here() -> Calibration:
    """A calibration that is taken for one of this machine."""
    board = probe(Roots()).fingerprint(build_id(os.environ) or "unknown")
    return msgspec.structs.replace(known(rate("q4_K"), rate("q8_0", repacked=True)), board=board)


def test_what_was_found_before_is_shown_and_not_found_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_calibration(tmp_path, here())
    assert main(["calibrate", "--state-dir", str(tmp_path), "--json"]) == 0
    assert capsys.readouterr().out == encode(here()).decode() + "\n"


def test_the_table_tells_gigabytes_a_second() -> None:
    out = io.StringIO()
    found = known(rate("q4_K"))
    fast = msgspec.structs.replace(
        found.rates[0], byte=msgspec.structs.replace(found.rates[0].byte, decode=1e-10)
    )
    show(msgspec.structs.replace(found, rates=(fast,)), Console(file=out, width=100))
    row = next(line for line in out.getvalue().splitlines() if "q4_K" in line)
    assert "10.0" in row
    assert "dense" in row


def test_a_state_directory_in_the_way_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "file"
    wrong.write_text("")
    assert main(["calibrate", "--state-dir", str(wrong), "--again"]) == 1
    assert str(wrong) in capsys.readouterr().err
