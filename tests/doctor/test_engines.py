from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edged.doctor.engines import backend_of_engines, held_by_engines

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.process
def test_an_engine_computes_with_the_library_it_has_loaded(tmp_path: Path) -> None:
    assert backend_of_engines("edged.test.backend") is None
    library = tmp_path / "libggml-cpu-armv8.2_2.so"
    library.write_bytes(bytes(4096))
    code = (
        "import mmap, sys; file = open(sys.argv[2], 'rb')\n"
        "held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ); print('up', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "edged.test.backend", library],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "up\n"
        assert backend_of_engines("edged.test.backend") == library.name
        engine.communicate("\n")
