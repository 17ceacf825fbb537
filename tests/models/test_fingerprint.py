from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import ModelError
from edged.models.fingerprint import (
    SAMPLE_BYTES,
    SAMPLES,
    Fingerprint,
    fingerprint,
    is_unchanged,
    places,
)
from edged.models.local import check_file
from tests.models.rawgguf import build

HEADER = 1000


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def flipped(path: Path, at: int) -> str:
    """The digest with one byte changed; the file is as before afterwards."""
    with path.open("r+b") as file:
        file.seek(at)
        (old,) = file.read(1)
        file.seek(at)
        file.write(bytes([old ^ 1]))
        file.flush()
        digest = fingerprint(path, HEADER).digest
        file.seek(at)
        file.write(bytes([old]))
    return digest


def test_a_copy_is_the_same_model_and_another_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.gguf", build())
    offset = check_file(path).data_offset
    copy = Path(shutil.copy(path, tmp_path / "b.gguf"))
    one, other = fingerprint(path, offset), fingerprint(copy, offset)
    assert one.digest == other.digest
    assert one.stamp != other.stamp
    assert fingerprint(path, offset) == one


def test_a_byte_of_the_header_or_of_a_sample_makes_another_model(tmp_path: Path) -> None:
    path = written(tmp_path / "a", bytes(HEADER + 8 * SAMPLES * SAMPLE_BYTES))
    size = path.stat().st_size
    before = fingerprint(path, HEADER).digest
    seen = {before}
    for start, length in places(HEADER, size):
        seen |= {flipped(path, start), flipped(path, start + length - 1)}
    assert len(seen) == 1 + 2 * (SAMPLES + 1)
    assert fingerprint(path, HEADER).digest == before


def test_a_change_between_the_samples_is_not_seen(tmp_path: Path) -> None:
    path = written(tmp_path / "a", bytes(HEADER + 8 * SAMPLES * SAMPLE_BYTES))
    start, length = places(HEADER, path.stat().st_size)[1]
    assert flipped(path, start + length + 100) == fingerprint(path, HEADER).digest


def test_the_size_alone_makes_another_model(tmp_path: Path) -> None:
    path = written(tmp_path / "a", bytes(HEADER + (1 << 30) // 64))
    before = fingerprint(path, HEADER).digest
    os.truncate(path, HEADER + (1 << 30) // 64 + 1)
    assert fingerprint(path, HEADER).digest != before


@given(st.integers(0, 1 << 24), st.integers(0, 1 << 36))
def test_samples_lie_in_the_file_from_its_first_tensor_to_its_end(offset: int, data: int) -> None:
    header, *samples = places(offset, offset + data)
    assert header == (0, offset)
    assert len(samples) <= SAMPLES
    assert samples[0][0] == offset
    assert sum(samples[-1]) == offset + data
    assert all(0 <= length <= SAMPLE_BYTES for _, length in samples)
    if data <= SAMPLES * SAMPLE_BYTES:  # a small file is read as a whole
        ends = [start + length for start, length in samples]
        assert all(start <= end for (start, _), end in zip(samples[1:], ends, strict=False))


def test_a_file_that_changes_is_seen_to_have_changed(tmp_path: Path) -> None:
    path = written(tmp_path / "a", bytes(5000))
    known = fingerprint(path, HEADER)
    assert is_unchanged(path, known)
    written(tmp_path / "new", bytes(5000)).replace(path)
    assert not is_unchanged(path, known)
    path.unlink()
    assert not is_unchanged(path, known)


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=f"{tmp_path}/none: No such file"):
        fingerprint(tmp_path / "none", HEADER)
    path = written(tmp_path / "a", bytes(5000))
    monkeypatch.setattr(os, "pread", lambda *_: b"")
    with pytest.raises(ModelError, match="shrinks"):
        fingerprint(path, HEADER)


def test_no_descriptor_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a", bytes(5000))
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert isinstance(fingerprint(path, HEADER), Fingerprint)
    monkeypatch.setattr(os, "pread", lambda *_: b"")
    with pytest.raises(ModelError):
        fingerprint(path, HEADER)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
