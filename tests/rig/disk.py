"""A disk of our own that can be full or read-only."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = "size=512k"


def small_disk() -> AbstractContextManager[Path]:
    """A tmpfs of 512 KiB; skips where nobody may mount."""
    return sized_disk(SMALL)


@contextmanager
def sized_disk(option: str) -> Iterator[Path]:
    """A tmpfs of any size, such as `size=8m`; skips where nobody may mount."""
    directory = Path(tempfile.mkdtemp(prefix="edged-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        directory.rmdir()
        pytest.skip("mounting a small tmpfs needs root")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)
        directory.rmdir()


def fill(disk: Path) -> None:
    """Leave not one byte."""
    with (disk / "filler").open("ab", buffering=0) as filler:
        for size in (65_536, 1):
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError:
                continue


def remount(disk: Path, how: str, option: str = SMALL) -> None:
    """`ro` or `rw`."""
    subprocess.run(["mount", "-o", f"remount,{how},{option}", str(disk)], check=True)
