from __future__ import annotations

import hashlib
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from edged.engine.worker.quantise import RECIPES
from edged.errors import ConfigError, ModelError, StorageError
from edged.models import catalog, family
from edged.models.catalogtext import FamilyText, VariantText
from edged.models.familytext import member_type
from edged.models.inventory import read_catalogue, take_inventory
from edged.models.variants import Catalogue
from edged.partfile import PartFile

if TYPE_CHECKING:
    from pathlib import Path

# Quarter of the package's size: what copies it stands for a quantiser where none is needed.
COPIES = (sys.executable, "-c", "import shutil, sys; shutil.copy(*sys.argv[1:3])")
ONE = FamilyText(id="one", variants=(VariantText(file="pocket-Q2_K.gguf"),))


def program(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.process
def test_the_whole_family_is_made_once_and_is_what_was_measured(tmp_path: Path) -> None:
    told: list[tuple[str, bool]] = []
    paths = family.make(tmp_path / "models", lambda name, made: told.append((name, made)))
    known = family.figures().variants
    assert [path.name for path in paths] == [variant.file for variant in known]
    assert told == [(variant.file, True) for variant in known]
    assert [path.stat().st_size for path in paths] == [variant.bytes for variant in known]
    if "avx2" in _flags():  # what made the record: another one may round a scale differently
        for path, variant in zip(paths, known, strict=True):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == variant.sha256, path.name
    before = {path: path.stat().st_mtime_ns for path in paths}
    family.make(tmp_path / "models", lambda name, made: told.append((name, made)))
    assert told[len(known) :] == [(variant.file, False) for variant in known]
    assert {path: path.stat().st_mtime_ns for path in paths} == before


def _flags() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as info:  # noqa: PTH123
        return info.read()


def test_the_record_is_of_good_order() -> None:
    known = family.figures().variants
    sizes = [variant.bytes or 0 for variant in known]
    quality = [variant.quality.percent or 0 for variant in known if variant.quality]
    assert len(quality) == len(known) == 6
    assert quality == sorted(quality, reverse=True)
    assert len(set(quality)) == len(quality)
    assert sizes == sorted(sizes, reverse=True)
    assert quality[0] < 100
    assert sizes[0] < family.SOURCE.stat().st_size
    assert {member_type(variant) for variant in known} == set(RECIPES)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit('no such type')", "ended with 1: no such type"),
        ("raise SystemExit(3)", "ended with 3: it said nothing"),
        ("import os; os.abort()", "died of Aborted"),
        ("import sys; open(sys.argv[2], 'wb').write(b'GGUF')", "pocket-Q2_K"),
        ("pass", "empty"),
    ],
)
def test_a_quantiser_that_fails_is_told_and_leaves_nothing(
    tmp_path: Path, code: str, reason: str
) -> None:
    with pytest.raises(ModelError, match=reason) as told:
        family.make(tmp_path, family=ONE, program=program(code))
    assert "pocket-Q2_K.gguf" in str(told.value)
    assert left(tmp_path) == []


def test_one_that_hangs_is_ended(tmp_path: Path) -> None:
    code = "import time; time.sleep(600)"
    with pytest.raises(ModelError, match=r"not made within 0\.2 s"):
        family.make(tmp_path, family=ONE, program=program(code), timeout_s=0.2)
    assert left(tmp_path) == []


def test_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not start: No such file"):
        family.make(tmp_path, family=ONE, program=(str(tmp_path / "none"),))


def test_it_is_called_with_source_target_and_type(tmp_path: Path) -> None:
    code = "import sys; sys.exit(' '.join(sys.argv[1:]))"
    with pytest.raises(ModelError, match=r"/pocket\.gguf .*/pocket-Q2_K\.gguf\.part Q2_K$"):
        family.make(tmp_path, family=ONE, program=program(code))


def test_what_a_power_cut_left_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "pocket-Q2_K.gguf.part").write_bytes(b"half of it")
    family.make(tmp_path, family=ONE, program=COPIES)
    assert left(tmp_path) == ["pocket-Q2_K.gguf"]


def test_two_processes_do_not_make_one_file(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "pocket-Q2_K.gguf.part")
    with pytest.raises(StorageError, match=r"pocket-Q2_K\.gguf\.part"):
        family.make(tmp_path, family=ONE, program=COPIES)
    part.close()


def test_a_broken_file_that_is_there_is_told_and_kept(tmp_path: Path) -> None:
    (tmp_path / "pocket-Q2_K.gguf").write_bytes(b"GGUF and no more")
    with pytest.raises(ModelError, match="pocket-Q2_K"):
        family.make(tmp_path, family=ONE, program=COPIES)
    assert left(tmp_path) == ["pocket-Q2_K.gguf"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_bytes(b"")
    with pytest.raises(StorageError, match=r"/models"):
        family.make(tmp_path / "models", family=ONE, program=COPIES)


@pytest.mark.process
def test_the_catalogue_of_a_folder_has_its_files_with_quality(tmp_path: Path) -> None:
    family.make(tmp_path, family=ONE)
    shutil.copy(family.SOURCE, tmp_path / "pocket-Q8_0.gguf")  # not what was measured
    (tmp_path / "own.yaml").write_bytes(family.catalogue(tmp_path))
    merged = read_catalogue(None, [tmp_path / "own.yaml"])
    found = take_inventory(merged, tmp_path).found
    first, second = found["pocket-Q2_K"].variant, found["pocket-Q8_0"].variant
    assert first.quality is not None
    assert 90 < first.quality.percent < 95
    assert second.quality is None
    assert first.family == second.family == str(family.figures().id)
    assert found["pocket-Q2_K"].path == tmp_path / "pocket-Q2_K.gguf"


def test_an_empty_folder_makes_a_catalogue_that_is_sound(tmp_path: Path) -> None:
    text = catalog.parse(family.catalogue(tmp_path), "own")
    assert not isinstance(text, list)
    assert isinstance(catalog.merge([("own", text)]), Catalogue)


def test_a_record_with_mistakes_names_them(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("families: [{id: x, sizes: 3}]\n")
    with pytest.raises(ConfigError, match="sizes"):
        family.figures(tmp_path / "bad.yaml")
    (tmp_path / "none.yaml").write_text("order: [x]\n")
    with pytest.raises(ConfigError, match="has no family"):
        family.figures(tmp_path / "none.yaml")
