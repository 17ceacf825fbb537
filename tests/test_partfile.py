from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edged import partfile
from edged.errors import StorageError
from edged.partfile import READ_BYTES, PartFile, read_whole
from tests.rig.openfiles import open_files
from tests.test_files import FaultyOS

if TYPE_CHECKING:
    from pathlib import Path

DATA = bytes(range(256)) * 5000


def test_it_grows_is_read_cut_and_published(tmp_path: Path) -> None:
    with contextlib.closing(PartFile(tmp_path / "a.part")) as part:
        assert part.size == 0
        part.append(DATA)
        part.append(bytearray(b"xyz"))
        assert part.sync() == part.size == len(DATA) + 3
        part.cut(len(DATA))
        part.append(b"!")
        assert b"".join(part.chunks()) == DATA + b"!"
        part.publish(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA + b"!"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_was_there_is_added_to(tmp_path: Path) -> None:
    for piece in (b"one", b"two"):
        with contextlib.closing(PartFile(tmp_path / "a.part")) as part:
            part.append(piece)
    assert (tmp_path / "a.part").read_bytes() == b"onetwo"


def test_large_files_are_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(READ_BYTES + 5))
    assert [len(chunk) for chunk in read_whole(path)] == [READ_BYTES, 5]
    with pytest.raises(StorageError, match="cannot be read: No such file"):
        list(read_whole(tmp_path / "none"))
    with pytest.raises(StorageError, match="null byte"):
        list(read_whole(tmp_path / "a\0"))


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    code = (
        "import sys, pathlib\nfrom edged.partfile import PartFile\n"
        "part = PartFile(pathlib.Path(sys.argv[1]))\nprint('have', flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "have\n"
        with pytest.raises(StorageError) as caught:
            PartFile(path)
        assert caught.value.errno == errno.EWOULDBLOCK
        other.communicate("")
    PartFile(path).close()


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(DATA)
    (tmp_path / "link").symlink_to(target)
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo"):
        with pytest.raises(StorageError):
            PartFile(tmp_path / name)
    with pytest.raises(StorageError, match="cannot be opened: No such file"):
        PartFile(tmp_path / "no" / "a")
    assert target.read_bytes() == DATA


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, bytes(data[:7])))
    with contextlib.closing(PartFile(tmp_path / "a.part")) as part:
        part.append(DATA[:1000])
    assert (tmp_path / "a.part").read_bytes() == DATA[:1000]


def work(folder: Path) -> None:
    with contextlib.closing(PartFile(folder / "a.part")) as part:
        part.append(DATA)
        part.sync()
        part.publish(folder / "a")


def test_after_any_single_failure_the_name_means_the_whole_file_or_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_files()
    failed = 0
    for fail_at in range(1, 40):
        folder = tmp_path / str(fail_at)
        folder.mkdir()
        (folder / "a").write_bytes(b"old")
        monkeypatch.setattr(partfile, "os", FaultyOS(fail_at))
        error = None
        try:
            work(folder)
        except StorageError as caught:
            error = caught
        except OSError:  # of the close after all was done
            error = StorageError()
        monkeypatch.undo()
        assert (folder / "a").read_bytes() in {b"old", DATA}
        if error is None:
            break
        failed += 1
    assert failed >= 5
    assert open_files() == before
