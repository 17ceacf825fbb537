from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from edged.engine import statefd
from edged.engine.statefile import KEY_BYTES, BadState, Header
from edged.engine.statestore import Kept, Opened, Removed, StateStore
from edged.errors import StorageError
from tests.engine.states import IDENTITY, header, system, whole
from tests.rig.disk import fill, remount, small_disk
from tests.rig.openfiles import open_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edged.engine.statefd import Taken

STATE = bytes(range(256)) * 20
LIMIT = 1 << 20
PIECES = 5


class Shelf:
    """A store over a real folder, opened."""

    def __init__(self, folder: Path, limit: int = LIMIT, reserve: int = 0) -> None:
        self.folder = folder
        self.now = 1000.0
        self.store = StateStore(folder, limit, lambda: self.now, reserve)
        self.opened = self.store.open()

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name != "key")

    def save(
        self,
        state: bytes = STATE,
        stopped: Callable[[], bool] = lambda: False,
        **changes: Any,
    ) -> Kept:
        head = header(**{"state_bytes": len(state), **changes})
        fd = memory(state)
        try:
            return self.store.save(head, fd, stopped)
        finally:
            os.close(fd)

    def take(self, file: str) -> tuple[Header, bytes]:
        taken = self.store.take(file)
        assert not isinstance(taken, BadState), taken
        return taken.header, state_of(taken)

    def reason(self, file: str) -> str:
        bad = self.store.take(file)
        assert isinstance(bad, BadState)
        return bad.reason


def memory(state: bytes) -> int:
    fd = os.memfd_create("state")
    os.write(fd, state)
    return fd


def state_of(taken: Taken) -> bytes:
    try:
        return os.pread(taken.fd, 1 << 20, taken.offset)
    finally:
        os.close(taken.fd)


def saved(shelf: Shelf, **changes: Any) -> str:
    kept = shelf.save(**changes)
    assert kept.found is not None
    return kept.found.file


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (old,) = file.read(1)
        file.seek(at)
        file.write(bytes([old ^ 1]))


def test_what_is_saved_is_found_by_the_next_start_and_taken(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "a" / "b")
    assert shelf.opened == Opened((), ())
    file = saved(shelf)
    again = Shelf(tmp_path / "a" / "b")
    (found,) = again.opened.found
    assert (found.file, again.opened.removed) == (file, ())
    assert found.bytes == (tmp_path / "a" / "b" / file).stat().st_size
    expected = header(state_bytes=len(STATE), saved_at=1000.0)
    assert found.header == expected
    assert again.take(file) == (expected, STATE)


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "a")
    file = saved(shelf)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a" / file).stat().st_mode) == 0o600
    assert len((tmp_path / "a" / "key").read_bytes()) == KEY_BYTES


def test_a_second_start_writes_nothing(tmp_path: Path) -> None:
    saved(Shelf(tmp_path))
    before = {path: path.stat() for path in [tmp_path, *tmp_path.iterdir()]}
    again = Shelf(tmp_path)
    again.now = 2000.0
    kept = again.save(uses=9, name=None)
    assert kept.found is not None
    assert kept.found.header.saved_at == 1000.0
    # not even the folder was touched
    assert {path: path.stat().st_mtime_ns for path in before} == {
        path: facts.st_mtime_ns for path, facts in before.items()
    }
    assert {path: path.stat().st_ino for path in before} == {
        path: facts.st_ino for path, facts in before.items()
    }


def test_another_text_or_model_is_another_file(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    other = msgspec.structs.replace(IDENTITY, kv_type="q8_0")
    files = {saved(shelf), saved(shelf, messages=system("x" * 99)), saved(shelf, identity=other)}
    assert set(shelf.names) == files
    assert len(files) == 3


@pytest.mark.parametrize("at", [0, 7, 8, 40, 43, 44, 4095, 4096, 4096 + len(STATE) - 1])
def test_a_flipped_bit_costs_the_file(tmp_path: Path, at: int) -> None:
    file = saved(Shelf(tmp_path))
    flip(tmp_path / file, at)
    shelf = Shelf(tmp_path)
    if shelf.opened.found:
        assert "damaged" in shelf.reason(file)
    else:
        assert [gone.file for gone in shelf.opened.removed] == [file]
    assert shelf.names == []
    assert saved(shelf) == file


def test_a_file_that_is_cut_off_costs_the_file(tmp_path: Path) -> None:
    file = saved(Shelf(tmp_path))
    os.truncate(tmp_path / file, 5000)
    shelf = Shelf(tmp_path)
    assert shelf.opened == Opened((), (Removed(file, "cut off"),))
    assert shelf.names == []


def test_a_file_that_is_cut_off_after_the_start_too(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    file = saved(shelf)
    os.truncate(tmp_path / file, 5000)
    assert shelf.reason(file) == "cut off"
    assert shelf.reason(file) == "No such file or directory"


def test_files_of_another_installation_are_refused(tmp_path: Path) -> None:
    file = "0" * 32 + ".state"
    shelf = Shelf(tmp_path)
    (tmp_path / file).write_bytes(whole())
    assert "another installation" in shelf.reason(file)
    assert shelf.names == []


@pytest.mark.parametrize("key", [b"", b"short", bytes(33), None])
def test_without_a_good_key_all_files_go(tmp_path: Path, key: bytes | None) -> None:
    file = saved(Shelf(tmp_path))
    (tmp_path / "key").unlink()
    if key is not None:
        (tmp_path / "key").write_bytes(key)
    shelf = Shelf(tmp_path)
    assert shelf.opened == Opened((), (Removed(file, "written with a key that is lost"),))
    assert shelf.names == []
    assert len((tmp_path / "key").read_bytes()) == KEY_BYTES


def test_a_key_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = saved(Shelf(tmp_path))

    def broken(*_: Any) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", broken)
    with pytest.raises(StorageError, match="key cannot be read: Input/output error"):
        Shelf(tmp_path)
    monkeypatch.undo()
    assert [found.file for found in Shelf(tmp_path).opened.found] == [file]


def test_what_a_crash_left_is_swept_away_and_the_rest_is_nobodys_business(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    (tmp_path / f".{'0' * 32}.state.{'a' * 12}.tmp").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / f"{'0' * 31}.state").touch()
    shelf = Shelf(tmp_path)
    assert shelf.opened.removed == ()
    assert shelf.names == ["0" * 31 + ".state", "notes.txt"]


def test_what_is_no_file_is_thrown_out(tmp_path: Path) -> None:
    Shelf(tmp_path)
    target = tmp_path / "target"
    target.write_bytes(whole())
    link, fifo, folder = (f"{digit * 32}.state" for digit in "123")
    (tmp_path / link).symlink_to(target)
    os.mkfifo(tmp_path / fifo)
    (tmp_path / folder).mkdir()
    shelf = Shelf(tmp_path)
    assert shelf.opened.found == ()
    assert [gone.file for gone in shelf.opened.removed] == [link, fifo, folder]
    # a folder stays, for nothing in it is ours
    assert shelf.names == [folder, "target"]
    assert shelf.reason(folder) == "not a regular file"


def test_the_least_valuable_goes_for_a_better_one(tmp_path: Path) -> None:
    size = 4096 + len(STATE)
    shelf = Shelf(tmp_path, limit=2 * size)
    mark = saved(shelf, name=None, messages=system("m" * 99))
    persona = saved(shelf)
    assert shelf.save(name=None, messages=system("n" * 99)) == Kept(None)
    kept = shelf.save(messages=system("p" * 99))
    assert kept.removed == (Removed(mark, "no room"),)
    assert kept.found is not None
    assert set(shelf.names) == {persona, kept.found.file}
    smaller = Shelf(tmp_path, limit=size)
    assert smaller.names in ([kept.found.file], [persona])
    assert len(smaller.opened.removed) == 1


def test_a_limit_of_zero_keeps_nothing(tmp_path: Path) -> None:
    # nor is the folder made where there was none
    assert StateStore(tmp_path / "none", 0, lambda: 0.0).open() == Opened((), ())
    assert not (tmp_path / "none").exists()
    file = saved(Shelf(tmp_path))
    assert Shelf(tmp_path, limit=0).opened == Opened((), (Removed(file, "no room"),))


def test_a_file_that_somebody_deleted_is_written_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, limit=4096 + len(STATE))
    file = saved(shelf)
    (tmp_path / file).unlink()
    assert saved(shelf) == file
    assert shelf.take(file)[1] == STATE


def test_a_large_state_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statefd, "PIECE_BYTES", 1000)
    shelf = Shelf(tmp_path)
    assert shelf.take(saved(shelf))[1] == STATE


def test_a_save_that_is_stopped_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statefd, "PIECE_BYTES", len(STATE) // PIECES)
    for stop_at in range(2 * PIECES):
        shelf = Shelf(tmp_path)
        answers = iter([*[False] * stop_at, True])
        with pytest.raises(StorageError, match="stopped"):
            shelf.save(stopped=answers.__next__)
        assert shelf.names == []
    assert Shelf(tmp_path).save(stopped=lambda: False).found is not None


def test_a_memory_file_that_is_too_short_leaves_nothing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    with pytest.raises(StorageError, match="shorter than it says"):
        shelf.save(state_bytes=len(STATE) + 1)
    assert shelf.names == []


def test_the_house_keeps_its_reserve(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, reserve=1 << 60)
    with pytest.raises(StorageError, match="MiB would be left free"):
        shelf.save()
    assert shelf.names == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file/a: Not a directory"):
        Shelf(tmp_path / "file" / "a")
    with pytest.raises(StorageError, match="File exists"):
        Shelf(tmp_path / "file")


def test_a_folder_that_goes_away_is_told(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "a")
    (tmp_path / "a" / "key").unlink()
    (tmp_path / "a").rmdir()
    with pytest.raises(StorageError, match="No such file"):
        shelf.save()


@pytest.mark.fault
def test_a_full_disk_takes_nothing_and_keeps_what_it_has() -> None:
    with small_disk() as disk:
        shelf = Shelf(disk, reserve=-LIMIT)
        file = saved(shelf)
        fill(disk)
        with pytest.raises(StorageError, match="No space left on device"):
            shelf.save(state=STATE * 9, messages=system("x" * 99))
        assert shelf.names == sorted([file, "filler"])
        assert shelf.take(file)[1] == STATE
        (disk / "filler").unlink()
        assert saved(shelf, messages=system("x" * 99))


@pytest.mark.fault
def test_a_read_only_disk_still_gives_what_it_has() -> None:
    with small_disk() as disk:
        file = saved(Shelf(disk))
        remount(disk, "ro")
        shelf = Shelf(disk)
        assert shelf.take(file)[1] == STATE
        with pytest.raises(StorageError, match="Read-only file system"):
            shelf.save(messages=system("x" * 99))
        # what is not ours cannot be deleted, but it is not used either
        assert not shelf.store.delete(file)
        remount(disk, "rw")
        (disk / "key").unlink()
        remount(disk, "ro")
        with pytest.raises(StorageError, match="Read-only file system"):
            Shelf(disk)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    file = saved(shelf)
    before = open_files()
    fd = memory(STATE)
    for _ in range(3):
        Shelf(tmp_path)
        shelf.take(file)
        shelf.store.save(header(state_bytes=len(STATE)), fd, lambda: False)
        flip(tmp_path / file, 5000)
        assert shelf.reason(file)
        shelf.store.save(header(state_bytes=len(STATE)), fd, lambda: False)
    os.close(fd)
    assert open_files() == before
