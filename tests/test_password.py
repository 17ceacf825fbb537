from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.errors import StorageError
from edged.password import read_password, read_token

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def test_no_password_is_none() -> None:
    assert read_password(None) is None


@pytest.mark.parametrize("content", [b"secret", b"secret\n", b"secret\r\nsecond line\n"])
def test_the_first_line_of_the_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "password").write_bytes(content)
    assert read_password(str(tmp_path / "password")) == b"secret"


def test_the_systemd_credential_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mqtt-password").write_bytes(b"credential\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_password(str(tmp_path / "missing")) == b"credential"


def test_an_empty_or_missing_file_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"\n")
    for name in ("empty", "missing"):
        with pytest.raises(StorageError, match=name):
            read_password(str(tmp_path / name))


def test_a_token_is_the_first_line_or_the_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_token(None) is None
    (tmp_path / "token").write_bytes(b"hf_abc\r\nmore")
    assert read_token(str(tmp_path / "token")) == "hf_abc"
    (tmp_path / "hub-token").write_bytes(b"hf_credential\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_token(str(tmp_path / "token")) == "hf_credential"


@pytest.mark.parametrize("content", [b"", b"two words", b"hf_\xff", b"a\rb", b"hf\x00"])
def test_what_is_no_token_is_told_without_its_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="token") as caught:
        read_token(str(path))
    assert "hf_" not in str(caught.value).replace(str(tmp_path), "")
    assert "two words" not in str(caught.value)
