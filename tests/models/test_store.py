from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from edged.errors import StorageError
from edged.models import room, store
from edged.models.records import PartRecord, Quarantined, Record, encode
from edged.models.store import Store
from edged.models.variants import Variant
from tests.models.hubrig import names

if TYPE_CHECKING:
    from pathlib import Path

A, B = "a" * 64, "b" * 64
MARK = Quarantined(variant="v", file="v.gguf", code="bad_hash", reason="r\n", sha256=A)
PART = PartRecord(variant="v", bytes=10, synced=5)


def whole(folder: Path, data: bytes = b"GGUF", file: str = "v.gguf") -> Record:
    path = folder / file
    path.write_bytes(data)
    facts = path.stat()
    stamp = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    return Record(variant="v", bytes=len(data), sha256=A, digest=B, stamp=stamp)


def test_an_empty_store_is_empty(tmp_path: Path) -> None:
    found = Store(tmp_path / "none" / "models")
    assert (found.files(), found.partials(), found.quarantined()) == ((), (), ())
    assert (found.stored("v.gguf"), found.record("v.gguf")) == (None, None)
    with pytest.raises(StorageError, match="cannot be measured"):
        found.space()
    found.prepare()
    assert found.directory.is_dir()
    free, disk = found.space()
    assert 0 < free <= disk


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be made"):
        Store(tmp_path / "file" / "models").prepare()
    Store(tmp_path).prepare()
    (tmp_path / "quarantine").touch()
    with pytest.raises(StorageError, match="cannot be made"):
        Store(tmp_path).quarantine(MARK)


def test_the_run_of_the_kernel_is_known_or_not(tmp_path: Path) -> None:
    assert Store(tmp_path).boot
    assert Store(tmp_path, tmp_path / "none").boot is None
    (tmp_path / "junk").write_bytes(b"\xff")
    assert Store(tmp_path, tmp_path / "junk").boot is None


def test_a_file_is_known_until_it_is_touched(tmp_path: Path) -> None:
    found = Store(tmp_path)
    record = whole(tmp_path)
    assert [(one.file, one.bytes, one.record, one.changed) for one in found.files()] == [
        ("v.gguf", 4, None, False)
    ]
    found.write_record("v.gguf", record)
    assert [(one.record, one.changed) for one in found.files()] == [(record, False)]
    # the number of the device may be another one after a reboot
    moved = msgspec.structs.replace(record, stamp=(99, *record.stamp[1:]))
    found.write_record("v.gguf", moved)
    assert not found.files()[0].changed
    os.utime(tmp_path / "v.gguf", ns=(1, 1))
    assert found.files()[0].changed


def test_only_our_names_are_listed(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.bin", ".c.gguf", "d e.gguf", "f.gguf.part", "g.part", "h.gguf.json"):
        (tmp_path / name).touch()
    found = Store(tmp_path)
    assert [one.file for one in found.files()] == ["a.gguf"]
    assert [(one.file, one.record) for one in found.partials()] == [("f.gguf", None)]


def test_broken_records_are_none(tmp_path: Path) -> None:
    whole(tmp_path)
    found = Store(tmp_path)
    for data in (b"", b"{", b"[]", b"x" * 100_000):
        (tmp_path / "v.gguf.json").write_bytes(data)
        assert found.record("v.gguf") is None
    (tmp_path / "v.gguf.json").unlink()
    (tmp_path / "v.gguf.json").mkdir()
    assert found.record("v.gguf") is None


def test_a_whole_file_goes_into_quarantine_and_its_variant_with_it(tmp_path: Path) -> None:
    found = Store(tmp_path)
    whole(tmp_path)
    mark = found.quarantine(MARK)
    assert (mark.kept, mark.reason) == ("0-v.gguf", "r?")
    assert names(tmp_path) == {"quarantine/0-v.gguf", "quarantine/0-v.gguf.json"}
    assert found.bad(Variant(id="v", family="f", file="v.gguf")) == mark
    assert found.bad(Variant(id="v", family="f", file="v.gguf", sha256=B)) is None
    # a reason without a file is a reason still
    assert found.quarantine(MARK).kept == "1-v.gguf"
    # the owner's file stays where it is
    assert found.forgive("v.gguf") == 2
    assert names(tmp_path) == {"quarantine/0-v.gguf"}


def test_the_quarantine_of_downloads_is_bounded_and_the_owners_files_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MAX_KEPT_BYTES", 10)
    monkeypatch.setattr(store, "MAX_MARKS", 3)
    found = Store(tmp_path)
    whole(tmp_path, b"mine" * 100)
    found.quarantine(MARK)
    for wall in range(6):
        with contextlib.closing(found.part("v.gguf")) as part:
            part.append(b"12345")
            found.quarantine(msgspec.structs.replace(MARK, fetched=True, wall=wall), part)
    kept = names(tmp_path / "quarantine")
    assert {name for name in kept if not name.endswith(".json")} >= {"0-v.gguf"}
    ours = [mark for mark in found.quarantined() if mark.fetched]
    assert sorted(mark.wall for mark in ours) == [3, 4, 5]
    sizes = [(tmp_path / "quarantine" / mark.kept).exists() for mark in ours]
    assert sum(sizes) == 2


def test_marks_that_are_not_ours_are_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "quarantine"
    folder.mkdir()
    (folder / "0-v.gguf.json").write_bytes(b"{}")
    stolen = msgspec.structs.replace(MARK, kept="../../etc/passwd", fetched=True)
    (folder / "1-v.gguf.json").write_bytes(encode(stolen))
    found = Store(tmp_path)
    assert found.quarantined() == ()
    assert found.forgive("v.gguf") == 0


def test_eviction_keeps_the_pin_and_removal_keeps_nothing(tmp_path: Path) -> None:
    found = Store(tmp_path)
    found.write_record("v.gguf", whole(tmp_path))
    found.evict("v.gguf")
    assert names(tmp_path) == {"v.gguf.json"}
    whole(tmp_path)
    with contextlib.closing(found.part("v.gguf")) as part:
        part.append(b"12345")
    found.write_part_record("v.gguf", PART)
    assert found.part_record("v.gguf") == PART
    found.quarantine(msgspec.structs.replace(MARK, file="v.gguf", fetched=True))
    whole(tmp_path)
    assert found.remove("v.gguf") == 4 + 5
    assert names(tmp_path) == set()
    assert found.remove("v.gguf") == 0


def test_what_is_being_downloaded_is_not_removed(tmp_path: Path) -> None:
    found = Store(tmp_path)
    with contextlib.closing(found.part("v.gguf")), pytest.raises(StorageError) as caught:
        Store(tmp_path).remove("v.gguf")
    assert caught.value.errno == errno.EWOULDBLOCK


def test_what_a_killed_process_left_goes_with_the_next_download(tmp_path: Path) -> None:
    left = tmp_path / ".v.gguf.part.json.0123456789ab.tmp"
    other = tmp_path / ".w.gguf.part.json.0123456789ab.tmp"
    left.touch()
    other.touch()
    Store(tmp_path).part("v.gguf").close()
    assert names(tmp_path) == {"v.gguf.part", other.name}
