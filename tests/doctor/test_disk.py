from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edged.doctor.disk import CHUNK, LEAST_BYTES, MOST_BYTES, read_speed
from edged.doctor.facts import ReadSpeed, Skipped
from tests.rig.openfiles import open_files

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class Ticking:
    """A clock that goes on by so many seconds each time it is asked."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._now = 0.0

    def monotonic(self) -> float:
        self._now += self._step
        return self._now

    def wall(self) -> float:
        return self._now


def file_of(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def readable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the disk of the tests knows no reading past the cache."""
    monkeypatch.setattr(os, "O_DIRECT", 0)


def test_a_file_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readable(monkeypatch)
    found = read_speed(file_of(tmp_path / "a.gguf", 3 * CHUNK + 5), Ticking(0.01))
    assert isinstance(found, ReadSpeed)
    assert (found.file, found.size, found.read) == ("a.gguf", 3 * CHUNK + 5, 3 * CHUNK + 5)
    assert found.rate > 0


def test_of_a_large_file_only_the_beginning_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readable(monkeypatch)
    found = read_speed(file_of(tmp_path / "a.gguf", 3 * MOST_BYTES), Ticking(0.001))
    assert isinstance(found, ReadSpeed)
    assert found.read == MOST_BYTES


def test_a_slow_disk_is_given_two_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readable(monkeypatch)
    found = read_speed(file_of(tmp_path / "a.gguf", MOST_BYTES), Ticking(0.5))
    assert isinstance(found, ReadSpeed)
    assert found.read < 8 * CHUNK


def test_what_cannot_be_timed_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = read_speed(tmp_path / "none.gguf", Ticking(0.01))
    assert isinstance(missing, Skipped)
    assert "No such file" in missing.reason
    readable(monkeypatch)
    small = read_speed(file_of(tmp_path / "a.gguf", LEAST_BYTES - 1), Ticking(0.01))
    assert small == Skipped("a.gguf is too small to time")
    folder = read_speed(tmp_path, Ticking(0.01))
    assert isinstance(folder, Skipped)
    assert "Is a directory" in folder.reason


def test_nothing_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readable(monkeypatch)
    path = file_of(tmp_path / "a.gguf", CHUNK)
    before = open_files()
    for _ in range(5):
        read_speed(path, Ticking(0.01))
        read_speed(tmp_path, Ticking(0.01))
    assert open_files() == before
