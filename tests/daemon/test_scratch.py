"""Files of made-up models come, stay where they are holes, and all go."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from edged.daemon.scratch import Scratch
from edged.errors import StorageError
from edged.models.made import Shape, file

if TYPE_CHECKING:
    from pathlib import Path

SOLID = Shape(layers=1, kind="q8_0", ff=64, width=64, heads=1, kv_heads=1, head=64)
HOLLOW = msgspec.structs.replace(SOLID, hollow=True, ff=65_536, layers=2)


def layers(number: int) -> Shape:
    return msgspec.structs.replace(SOLID, layers=number)


def test_it_is_the_model_and_the_next_but_one_takes_its_place(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        first = scratch.made(SOLID)
        assert first.stat().st_size == sum(map(len, file(SOLID, bytes)))
        second, third = scratch.made(layers(2)), scratch.made(layers(3))
        assert set(tmp_path.iterdir()) == {second, third}
        assert scratch.made(SOLID).read_bytes()[:4] == b"GGUF"
    assert list(tmp_path.iterdir()) == []


def test_the_last_one_asked_for_stays(tmp_path: Path) -> None:
    """It is being loaded while the next one is made."""
    with Scratch(tmp_path) as scratch:
        first = scratch.made(SOLID)
        scratch.made(layers(2))
        assert scratch.made(SOLID) == first
        third = scratch.made(layers(3))
        assert set(tmp_path.iterdir()) == {first, third}


def test_what_is_mostly_holes_is_made_once(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        first = scratch.made(HOLLOW)
        made = first.stat()
        assert made.st_blocks * 512 < made.st_size / 2
        scratch.made(SOLID)
        assert scratch.made(HOLLOW) == first
        assert first.stat().st_ino == made.st_ino
        assert len(list(tmp_path.iterdir())) == 2
    assert list(tmp_path.iterdir()) == []


def test_what_a_file_system_fills_is_not_kept(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        solid = msgspec.structs.replace(SOLID, hollow=True)  # its tables are most of it
        first = scratch.made(solid)
        kept = scratch.made(HOLLOW)
        assert set(tmp_path.iterdir()) == {first, kept}
        others = {scratch.made(SOLID), scratch.made(layers(2))}
        assert set(tmp_path.iterdir()) == {kept, *others}


def test_what_a_killed_one_left_is_removed_and_a_mistake_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "calibrating.gguf").write_bytes(b"half a model")
    (tmp_path / "calibrating-7.gguf").write_bytes(b"a whole one")
    (tmp_path / "mine.gguf").write_bytes(b"of the owner")
    with contextlib.suppress(KeyError), Scratch(tmp_path) as scratch:
        assert [path.name for path in tmp_path.iterdir()] == ["mine.gguf"]
        scratch.made(HOLLOW)
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["mine.gguf"]


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(StorageError, match="a cannot be written"), Scratch(tmp_path / "a"):
        pass
