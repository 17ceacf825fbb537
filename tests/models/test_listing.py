from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edged.models.listing import listing
from edged.models.signs import Entry

if TYPE_CHECKING:
    from pathlib import Path


def test_files_are_listed_by_name_with_size_and_time(tmp_path: Path) -> None:
    for name, text in (("b.gguf", "12"), ("a.gguf", "1"), ("c.part", "123")):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, ns=(5, 7))
    assert listing(tmp_path, ".gguf", 9) == (Entry("a.gguf", 1, 7), Entry("b.gguf", 2, 7))
    assert [each.name for each in listing(tmp_path, ".gguf", 1)] == ["a.gguf"]


def test_what_cannot_be_read_is_not_there(tmp_path: Path) -> None:
    assert listing(tmp_path / "none", ".gguf", 9) == ()
    (tmp_path / "nowhere.gguf").symlink_to(tmp_path / "gone")
    assert listing(tmp_path, ".gguf", 9) == ()
