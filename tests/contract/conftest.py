"""The scripted child and the real one, asked the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.harness import POCKET, real, script

if TYPE_CHECKING:
    from pathlib import Path

    from edged.engine.supervisor import Settings


@pytest.fixture(params=["fake", "real"])
def child(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "real":
        if not POCKET.exists():
            pytest.skip("no pocket model")
        return real()
    return script(tmp_path, ms_per_token=1, n_ctx=512)


@pytest.fixture
def slow(child: Settings, tmp_path: Path) -> Settings:
    """The same child, busy for long; the real one is slowed by its pace."""
    if child.argv[-1].endswith(".json"):
        return script(tmp_path, ms_per_token=10, n_ctx=512, tokens=100_000)
    return child
