from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.daemon.headroom import headroom

if TYPE_CHECKING:
    from pathlib import Path

MEMORY = "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable: 2097152 kB\n"


def tree(folder: Path, text: str) -> Path:
    (folder / "proc").mkdir()
    (folder / "proc/meminfo").write_text(text)
    return folder


@pytest.mark.parametrize(("reserve", "free"), [(None, 1536), (1000, 1048), (0, 2048), (3000, -952)])
def test_what_is_available_less_the_reserve(tmp_path: Path, reserve: int | None, free: int) -> None:
    assert headroom(tree(tmp_path, MEMORY), reserve) == free


@pytest.mark.parametrize("text", ["", "MemTotal: 5 kB\n", "MemAvailable: 5 kB\n", "x" * 20_000])
def test_a_system_that_does_not_say(tmp_path: Path, text: str) -> None:
    assert headroom(tree(tmp_path, text), None) is None


def test_a_system_without_such_a_file(tmp_path: Path) -> None:
    assert headroom(tmp_path, None) is None
