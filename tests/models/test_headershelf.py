from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from edged.errors import StorageError
from edged.models import headershelf
from edged.models.gguf import Header, read
from edged.models.headershelf import FOLDER, Shelf, origin
from edged.models.variants import Catalogue, Family, Variant
from tests.models.hubrig import MODEL, VARIANT

if TYPE_CHECKING:
    from pathlib import Path


def header() -> Header:
    found = read(MODEL, len(MODEL))
    assert isinstance(found, Header)
    return replace(found, geometry=replace(found.geometry, chat_template="{{ messages }}"))


def test_what_is_kept_is_found_again_without_the_template(tmp_path: Path) -> None:
    assert Shelf(tmp_path).load(VARIANT) is None
    Shelf(tmp_path).keep(VARIANT, header())
    found = Shelf(tmp_path).load(VARIANT)
    assert found is not None
    assert found.geometry.chat_template is None
    assert found == replace(header(), geometry=found.geometry)
    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o700


def test_another_revision_repository_or_address_is_another_file(tmp_path: Path) -> None:
    Shelf(tmp_path).keep(VARIANT, header())
    others = (
        replace(VARIANT, revision="abc"),
        replace(VARIANT, repo="owner/other"),
        replace(VARIANT, file="other.gguf"),
        replace(VARIANT, repo=None, url="http://x/tiny-Q4_K.gguf"),
        replace(VARIANT, repo=None),
    )
    assert [Shelf(tmp_path).load(each) for each in others] == [None] * len(others)
    assert len({origin(each) for each in (VARIANT, *others)}) == 1 + len(others)


def test_all_of_a_catalogue_are_found_by_their_ids(tmp_path: Path) -> None:
    here = Variant(id="here", family="f", file="here.gguf")
    other = replace(VARIANT, id="other", file="other.gguf")
    families = (Family(id="f", name="F", variants=(here, VARIANT, other)),)
    Shelf(tmp_path).keep(VARIANT, header())
    assert set(Shelf(tmp_path).of(Catalogue(families=families))) == {VARIANT.id}


@pytest.mark.parametrize("damage", [b"", b"{", b"[" * 9999, b'{"origin": "x", "header": 5}'])
def test_a_damaged_file_is_as_none(tmp_path: Path, damage: bytes) -> None:
    Shelf(tmp_path).keep(VARIANT, header())
    (path,) = (tmp_path / FOLDER).iterdir()
    path.write_bytes(damage)
    assert Shelf(tmp_path).load(VARIANT) is None


def test_a_file_of_another_origin_is_not_believed(tmp_path: Path) -> None:
    other = replace(VARIANT, revision="abc")
    Shelf(tmp_path).keep(VARIANT, header())
    Shelf(tmp_path).keep(other, header())
    one, two = sorted((tmp_path / FOLDER).iterdir())
    one.write_bytes(two.read_bytes())
    assert sum(Shelf(tmp_path).load(each) is not None for each in (VARIANT, other)) == 1


def test_the_oldest_go_where_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headershelf, "MAX_KEPT", 2)
    variants = [replace(VARIANT, revision=str(number)) for number in range(3)]
    for number, variant in enumerate(variants):
        Shelf(tmp_path).keep(variant, header())
        for path in (tmp_path / FOLDER).iterdir():
            if path.stat().st_mtime_ns > 10:
                os.utime(path, ns=(number, number))
    assert [Shelf(tmp_path).load(each) is None for each in variants] == [True, False, False]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(StorageError, match=FOLDER):
        Shelf(tmp_path).keep(VARIANT, header())
