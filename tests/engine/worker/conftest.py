"""Made-up models of every kind of memory, written once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import synthetic
from bench.mixes import MIXES
from bench.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TINY = ("tiny", "tiny-mamba2", "tiny-hybrid")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Models by the name of their shape: attention, recurrent, and both."""
    folder = tmp_path_factory.mktemp("tiny")
    paths = {name: folder / f"{name}.gguf" for name in TINY}
    for name, path in paths.items():
        synthetic.write(path, SHAPES[name], MIXES[synthetic.DEFAULT_MIX])
    return paths
