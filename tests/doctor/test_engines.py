from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from edged.doctor.engines import backend_of_engines, held_by_engines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20


@contextmanager
def engine(code: str, *words: str | Path) -> Iterator[None]:
    """A process that has run the code and is known by these words."""
    code += "; print('up', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield
        process.communicate("\n")


@pytest.mark.process
def test_what_an_engine_holds_counts_as_to_be_had() -> None:
    with engine("data = b'x' * (64 << 20)", "edged.test.worker"):
        assert 64 * MIB <= held_by_engines("edged.test.worker") < 256 * MIB
    assert held_by_engines("edged.test.worker") == 0


@pytest.mark.process
def test_an_engine_computes_with_the_library_it_has_loaded(tmp_path: Path) -> None:
    assert backend_of_engines("edged.test.backend") is None
    library = tmp_path / "libggml-cpu-armv8.2_2.so"
    library.write_bytes(bytes(4096))
    code = (
        "import mmap, sys; file = open(sys.argv[2], 'rb')\n"
        "held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)"
    )
    with engine(code, "edged.test.backend", library):
        assert backend_of_engines("edged.test.backend") == library.name
