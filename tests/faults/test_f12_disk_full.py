"""F12, F22: the disk fills during a download, or cannot be written at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from edged.models.progress import Evicted, Fetched, FetchFailed
from edged.models.records import Record
from edged.models.store import Store
from tests.models.hubrig import FILE, MODEL, SHA256, VARIANT, Sleeps, hub, names, run, world
from tests.rig.disk import remount, sized_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.rig.hub import Hub

pytestmark = pytest.mark.fault
MIB = 1 << 20
DISK = 8 * MIB  # for a model of 3 MiB; a tenth is the reserve


@pytest.fixture
def rig() -> Iterator[Hub]:
    with hub() as running:
        yield running


@pytest.fixture
def disk() -> Iterator[Path]:
    with sized_disk(f"size={DISK}") as mounted:
        yield mounted


def leave(disk: Path, free: int) -> None:
    """Fill the disk but for `free` bytes."""
    taken, _ = Store(disk).space()
    with (disk / "filler").open("ab") as filler:
        filler.write(bytes(taken - free))


def test_too_little_room_is_known_before_the_first_byte(rig: Hub, disk: Path) -> None:
    leave(disk, 3 * MIB)
    sleeps = Sleeps()
    end, _ = run(world(rig, disk, sleep=sleeps))
    assert isinstance(end, FetchFailed)
    assert end.code == "no_space"
    for number in (str(len(MODEL)), str(DISK // 10), "lacking"):
        assert number in end.reason
    assert sleeps.waited == [3600]  # others may make room, and not within seconds
    assert names(disk) == {"filler"}
    (disk / "filler").unlink()
    assert isinstance(run(world(rig, disk))[0], Fetched)


@pytest.mark.parametrize("percent", [10, 50, 99])
def test_a_disk_that_fills_on_the_way_stops_it_and_it_goes_on_later(
    rig: Hub, disk: Path, percent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = len(MODEL) * percent // 100
    real = Store.space
    # only the check before sees a free disk: the house wrote the rest meanwhile
    monkeypatch.setattr(Store, "space", lambda self: (DISK, real(self)[1]))
    leave(disk, stop)
    end, _ = run(world(rig, disk, most_failures=1))
    monkeypatch.undo()
    assert isinstance(end, FetchFailed)
    assert end.code == "no_space"
    part = (disk / (FILE + ".part")).stat().st_size
    assert stop - 64 * 1024 <= part <= stop
    assert (disk / (FILE + ".part")).read_bytes() == MODEL[:part]
    (disk / "filler").unlink()
    end, _ = run(world(rig, disk))
    assert isinstance(end, Fetched)
    assert end.resumed == part
    assert rig.bodies[-1] == len(MODEL) - part
    assert (disk / FILE).read_bytes() == MODEL


def test_it_stops_before_it_takes_the_last_of_the_house(rig: Hub, disk: Path) -> None:
    rig.misbehave("cdn", "slow")

    def grow() -> int:
        # somebody else writes as soon as we have begun
        if (disk / (FILE + ".part")).exists() and not (disk / "filler").exists():
            leave(disk, MIB + DISK // 40)
        return 0

    end, _ = run(
        world(
            rig,
            disk,
            quiet_hours="01:00-02:00",
            minute=grow,
            most_failures=1,
            sync_bytes=64 * 1024,
        )
    )
    assert isinstance(end, FetchFailed)
    assert end.code == "no_space"
    assert "others have filled" in end.reason
    assert rig.sent < len(MODEL)


def stored(disk: Path, name: str, size: int, wall: float, *, fetched: bool = True) -> None:
    path = disk / name
    path.write_bytes(bytes(size))
    facts = path.stat()
    stamp = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    record = Record(
        variant=name,
        bytes=size,
        sha256=SHA256,
        digest=SHA256,
        stamp=stamp,
        fetched=fetched,
        wall=wall,
    )
    Store(disk).write_record(name, record)


def test_only_what_the_owner_allowed_is_evicted(rig: Hub, disk: Path) -> None:
    stored(disk, "serving.gguf", MIB, 1)
    stored(disk, "older.gguf", 2 * MIB, 2)
    stored(disk, "newer.gguf", MIB, 3)
    stored(disk, "owners.gguf", MIB, 0, fetched=False)
    (disk / "nobodys.gguf").write_bytes(bytes(1000))
    keep = ("serving.gguf",)
    end, _ = run(world(rig, disk, most_failures=1), keep=keep)
    assert isinstance(end, FetchFailed)
    assert end.code == "no_space"
    end, events = run(world(rig, disk, most_failures=1, evict=True), keep=keep)
    assert isinstance(end, Fetched)
    assert [event for event in events if isinstance(event, Evicted)] == [
        Evicted(file="older.gguf", bytes=2 * MIB)
    ]
    left = names(disk)
    assert {"serving.gguf", "newer.gguf", "owners.gguf", "nobodys.gguf", FILE} <= left
    assert "older.gguf" not in left


def test_nothing_is_evicted_for_nothing(rig: Hub, disk: Path) -> None:
    stored(disk, "small.gguf", MIB, 1)
    stored(disk, "serving.gguf", 5 * MIB, 1)
    end, events = run(world(rig, disk, most_failures=1, evict=True), keep=("serving.gguf",))
    assert isinstance(end, FetchFailed)
    assert not [event for event in events if isinstance(event, Evicted)]
    assert "small.gguf" in names(disk)


def test_a_read_only_store_is_told_and_what_is_in_it_serves(rig: Hub, disk: Path) -> None:
    run(world(rig, disk))
    remount(disk, "ro", f"size={DISK}")
    end, _ = run(world(rig, disk))
    assert isinstance(end, Fetched)
    sleeps = Sleeps()
    other = msgspec.structs.replace(VARIANT, id="other", file="other.gguf")
    rig.files["other.gguf"] = MODEL
    end, _ = run(world(rig, disk, sleep=sleeps), other)
    assert isinstance(end, FetchFailed)
    assert end.code == "read_only"
    assert sleeps.waited == [3600]
    assert rig.sent == len(MODEL)
    remount(disk, "rw", f"size={DISK}")
    assert isinstance(run(world(rig, disk), other)[0], Fetched)


def test_a_folder_that_is_not_ours_is_told(rig: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    end, _ = run(world(rig, tmp_path / "file" / "models", most_failures=1))
    assert isinstance(end, FetchFailed)
    assert end.code == "disk"
    assert str(tmp_path) in end.reason
