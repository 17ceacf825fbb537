from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.errors import ConfigError, StorageError
from edged.models.inventory import DATA, read_catalogue, take_inventory
from edged.models.variants import Catalogue, Family, Variant
from tests.models.rawgguf import build

if TYPE_CHECKING:
    from pathlib import Path

LISTED = Variant(id="a", family="f", file="a.gguf", repo="m/a", kind="IQ", bpw=1.0)
CATALOGUE = Catalogue(families=(Family(id="f", name="F", variants=(LISTED,)),))


def test_the_packaged_catalogue_alone(tmp_path: Path) -> None:
    catalogue = read_catalogue(tmp_path / "none")
    assert catalogue == read_catalogue(None)
    pocket = catalogue.variant("pocket")
    assert pocket is not None
    assert pocket.path == str(DATA / "pocket.gguf")


def test_the_owners_files_are_merged_in_the_order_of_their_names(tmp_path: Path) -> None:
    first = read_catalogue(None).families[0]
    (tmp_path / "20.yaml").write_text("order: [qwen3-4b-instruct-2507]")
    (tmp_path / "10.yaml").write_text(f"families: [{{id: {first.id}, name: ten}}]")
    (tmp_path / "30.yaml").write_text(f"families: [{{id: {first.id}, name: thirty}}]")
    (tmp_path / "note.txt").write_text("not read")
    catalogue = read_catalogue(tmp_path)
    assert [family.id for family in catalogue.families[:2]] == ["qwen3-4b-instruct-2507", first.id]
    assert catalogue.families[1].name == "thirty"
    assert catalogue.families[1].variants == first.variants
    extra = tmp_path / "extra"
    extra.write_text("order: [pocket]")
    assert read_catalogue(tmp_path, [extra]).families[0].id == "pocket"


def test_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("famlies: []")
    (tmp_path / "b.yaml").write_text("families: [{id: x, variants: [{file: x.gguf, bpw: 99}]}]")
    with pytest.raises(ConfigError) as caught:
        read_catalogue(tmp_path)
    assert f"{tmp_path}/a.yaml:1: famlies: unknown key; did you mean families?" in str(caught.value)
    assert f"{tmp_path}/b.yaml:1: family x, variant x.gguf, bpw: " in str(caught.value)
    (tmp_path / "a.yaml").unlink()
    (tmp_path / "b.yaml").write_text("families: [{id: x, variants: [{file: x.gguf}]}]")
    with pytest.raises(ConfigError, match=r"x\.gguf: has no repo, url or path"):
        read_catalogue(tmp_path)
    (tmp_path / "b.yaml").unlink()
    (tmp_path / "c.yaml").mkdir()
    with pytest.raises(StorageError, match=r"c\.yaml is not a regular file"):
        read_catalogue(tmp_path)


def test_files_are_found_refined_and_told(tmp_path: Path) -> None:
    sound = build()
    (tmp_path / "a.gguf").write_bytes(sound)
    (tmp_path / "mine.gguf").write_bytes(sound)
    (tmp_path / "cut.gguf").write_bytes(sound[:-1])
    (tmp_path / "half.gguf.part").write_bytes(sound)
    (tmp_path / "dir.gguf").mkdir()
    (tmp_path / "\x1b.gguf").write_bytes(sound)
    inventory = take_inventory(CATALOGUE, tmp_path)
    assert [family.id for family in inventory.catalogue.families] == ["f", "mine"]
    assert set(inventory.found) == {"a", "mine"}
    refined = inventory.catalogue.families[0].variants[0]
    assert (refined.kind, refined.bytes, refined.repo) == ("KQ", len(sound), "m/a")
    assert refined == inventory.found["a"].variant
    assert inventory.found["mine"].path == tmp_path / "mine.gguf"
    assert inventory.found["a"].header.geometry.name == "tiny"
    assert set(inventory.broken) == {"cut.gguf", "dir.gguf", "\\x1b.gguf"}
    assert "cut off" in inventory.broken["cut.gguf"]


def test_a_file_elsewhere_counts_and_stands_once(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    placed = Variant(id="a", family="f", file="a.gguf", path=str(path))
    catalogue = Catalogue(families=(Family(id="f", name="F", variants=(placed,)),))
    assert take_inventory(catalogue, tmp_path).found == {}
    path.write_bytes(build())
    for folder in (None, tmp_path, tmp_path / "none"):
        inventory = take_inventory(catalogue, folder)
        assert set(inventory.found) == {"a"}
        assert inventory.broken == {}


def test_the_pocket_model_is_always_there() -> None:
    inventory = take_inventory(read_catalogue(None), None)
    assert set(inventory.found) == {"pocket"}
    assert inventory.catalogue.families[-1].variants[0].bytes_are == "exact"
