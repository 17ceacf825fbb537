from __future__ import annotations

import subprocess
import sys

import pytest

from edged.doctor.gather import held_by_engines

MIB = 1 << 20


@pytest.mark.process
def test_what_an_engine_holds_counts_as_to_be_had() -> None:
    code = "data = b'x' * (64 << 20); print('up', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "edged.test.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "up\n"
        assert 64 * MIB <= held_by_engines("edged.test.worker") < 256 * MIB
        engine.communicate("\n")
    assert held_by_engines("edged.test.worker") == 0
