from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from edged import files
from edged.errors import StorageError
from edged.files import move, read_bounded, remove, sweep, write_atomic, write_scratch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALLS = ("open", "lstat", "write", "fchmod", "fsync", "close", "replace", "unlink")
OLD, NEW = b"old" * 1000, b"new" * 2000


class FaultyOS:
    """The os module, but the Nth call that can touch the disk fails."""

    def __init__(self, fail_at: int, code: int = errno.ENOSPC) -> None:
        self._fail_at = fail_at
        self._code = code
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self._guard(name, real) if name in CALLS else real

    def _guard(self, name: str, real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if len(self.calls) != self._fail_at:
                return real(*args, **kwargs)
            if name == "close":  # Linux frees the descriptor even when it reports an error
                real(*args, **kwargs)
            raise OSError(self._code, os.strerror(self._code))

        return call


def test_write_then_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, OLD)
    write_atomic(path, NEW, 0o644)
    assert read_bounded(path, len(NEW)) == NEW
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["a"]  # noqa: PTH208 - hidden files too


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"")
    assert read_bounded(tmp_path / "a", 0) == b""


@pytest.mark.parametrize("exists", [True, False])
def test_after_any_single_failure_the_file_is_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, exists: bool
) -> None:
    path = tmp_path / "a"
    outcomes = set[bytes | None]()
    for fail_at in range(1, 50):
        path.unlink(missing_ok=True)
        if exists:
            path.write_bytes(OLD)
        faulty = FaultyOS(fail_at)
        monkeypatch.setattr(files, "os", faulty)
        error = None
        try:
            write_atomic(path, NEW)
        except StorageError as caught:
            error = caught
        monkeypatch.undo()
        content = path.read_bytes() if path.exists() else None
        assert content in (OLD if exists else None, NEW)
        assert [name for name in os.listdir(tmp_path) if name != "a"] == []  # noqa: PTH208
        outcomes.add(content)
        if error is None:
            assert content == NEW
            break
        assert error.errno == errno.ENOSPC
        assert str(error) == f"{path} cannot be written: No space left on device"
    else:
        pytest.fail("never passed")
    assert outcomes == {OLD if exists else None, NEW}
    order = [name for name in faulty.calls if name in {"write", "fsync", "replace"}]
    assert order == ["write", "fsync", "replace", "fsync"]


def test_no_descriptor_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only counted
    for fail_at in range(1, 12):
        monkeypatch.setattr(files, "os", FaultyOS(fail_at, errno.EIO))
        try:
            write_atomic(tmp_path / "a", NEW)
            read_bounded(tmp_path / "a", 10_000)
        except StorageError:
            pass
        monkeypatch.undo()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, bytes(data[:7])))
    write_atomic(tmp_path / "a", OLD)
    assert (tmp_path / "a").read_bytes() == OLD


def test_pieces_become_one_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", [b"one", memoryview(b"two"), b"", b"three"])
    assert (tmp_path / "a").read_bytes() == b"onetwothree"


def test_zeros_of_a_scratch_file_take_no_room(tmp_path: Path) -> None:
    zeros = bytes(1 << 20)
    pieces: list[bytes | memoryview] = [
        b"begin",
        zeros,
        b"",
        memoryview(zeros),
        b"middle" + zeros,
        zeros,
    ]
    write_scratch(tmp_path / "sparse", iter(pieces))
    assert (tmp_path / "sparse").read_bytes() == b"".join(pieces)
    assert (tmp_path / "sparse").stat().st_blocks * 512 < 3 << 20
    with pytest.raises(StorageError, match="sparse cannot be written"):
        write_scratch(tmp_path / "sparse", pieces)


def test_a_piece_that_does_not_come_leaves_the_old_file(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield NEW
        message = "asked to stop"
        raise StorageError(message)

    path = tmp_path / "a"
    write_atomic(path, OLD)
    with pytest.raises(StorageError, match="asked to stop"):
        write_atomic(path, pieces())
    assert path.read_bytes() == OLD
    assert os.listdir(tmp_path) == ["a"]  # noqa: PTH208 - hidden files too


def test_what_a_killed_process_left_is_swept_away_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    monkeypatch.setattr(os, "unlink", lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", NEW)
    monkeypatch.undo()
    for other in ("a.tmp", ".hidden", ".a.123.tmp", "b"):
        (tmp_path / other).touch()
    assert len(list(tmp_path.iterdir())) == 5
    assert sweep(tmp_path) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"a.tmp", ".hidden", ".a.123.tmp", "b"}
    with pytest.raises(StorageError, match="cannot be cleaned: No such file"):
        sweep(tmp_path / "none")


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(OLD)
    link = tmp_path / "link"
    link.symlink_to(target)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (link, fifo, folder):
        with pytest.raises(StorageError, match="not a regular file"):
            write_atomic(path, NEW)
    assert target.read_bytes() == OLD
    assert len(list(tmp_path.iterdir())) == 4


def test_reading_refuses_what_is_special_or_too_large(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, limit, said in (
        (fifo, 10, "not a regular file"),
        (tmp_path, 10, "not a regular file"),
        (tmp_path / "none", 10, "No such file"),
        (tmp_path / "a\0b", 10, "cannot be read"),
    ):
        with pytest.raises(StorageError, match=said):
            read_bounded(path, limit)
    big = tmp_path / "big"
    big.write_bytes(b"x" * 11)
    with pytest.raises(StorageError, match="larger than 10 bytes"):
        read_bounded(big, 10)
    assert read_bounded(big, 11) == b"x" * 11


def test_a_read_error_names_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)

    def broken(*_: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "read", broken)
    with pytest.raises(StorageError, match=f"{path} cannot be read: Input/output error") as caught:
        read_bounded(path, 10)
    assert caught.value.errno == errno.EIO


def test_an_impossible_path_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"):
        write_atomic(tmp_path / "no" / "a", NEW)
    with pytest.raises(StorageError, match="null byte"):
        write_atomic(tmp_path / "a\0", NEW)


def test_a_file_is_moved_and_removed_for_good(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "a").write_bytes(OLD)
    move(tmp_path / "a", tmp_path / "to" / "b")
    assert (tmp_path / "to" / "b").read_bytes() == OLD
    with pytest.raises(StorageError, match=r"cannot be moved to .*/c: No such file") as caught:
        move(tmp_path / "a", tmp_path / "c")
    assert caught.value.errno == errno.ENOENT
    assert remove(tmp_path / "to" / "b")
    assert not remove(tmp_path / "to" / "b")
    with pytest.raises(StorageError, match="cannot be removed: Is a directory"):
        remove(tmp_path / "to")


def test_only_files_of_that_name_are_swept(tmp_path: Path) -> None:
    for name in (".a.x.0123456789ab.tmp", ".b.x.0123456789ab.tmp"):
        (tmp_path / name).touch()
    assert sweep(tmp_path, "a") == 1
    assert [path.name for path in tmp_path.iterdir()] == [".b.x.0123456789ab.tmp"]
