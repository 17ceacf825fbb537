"""A model for the real worker whose answers are surely under way when something is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from bench import synthetic
from bench.mixes import MIXES
from bench.shapes import SHAPES

if TYPE_CHECKING:
    from pathlib import Path

# Layers enough that its 600 tokens take half a second.
SHAPE = msgspec.structs.replace(SHAPES["tiny"], layers=16)


@pytest.fixture(scope="session")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up model that never ends its answer by itself, as a trained one does at will."""
    path = tmp_path_factory.mktemp("model") / "endless.gguf"
    synthetic.write(path, SHAPE, MIXES[synthetic.DEFAULT_MIX])
    return path
