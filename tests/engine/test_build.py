from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from edged.engine.build import build_id

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def libraries(folder: Path, **contents: bytes) -> Path:
    lib = folder / "llama_cpp" / "lib"
    lib.mkdir(parents=True)
    for name, content in contents.items():
        (lib / f"lib{name}.so").write_bytes(content)
        (lib / f"lib{name}.so.0").write_bytes(content)
    return lib


def test_the_installed_build_has_its_version_and_stays_the_same() -> None:
    one = build_id({})
    assert one is not None
    assert one == build_id({})
    assert one.startswith(metadata.version("llama-cpp-python") + " ")


def test_another_library_is_another_build(tmp_path: Path) -> None:
    one = libraries(tmp_path / "a", llama=b"1", ggml=b"2")
    libraries(tmp_path / "b", llama=b"1", ggml=b"3")
    libraries(tmp_path / "c", llama=b"2", ggml=b"1")
    libraries(tmp_path / "d", llama=b"1", ggml=b"2")
    builds = [build_id({}, ["/none", str(tmp_path / name)]) for name in "abcd"]
    assert len(set(builds)) == 3
    assert builds[0] == builds[3]
    assert build_id({"LLAMA_CPP_LIB_PATH": str(one)}, [str(tmp_path / "b")]) == builds[0]


def test_without_libraries_there_is_no_build(tmp_path: Path) -> None:
    assert build_id({}, [str(tmp_path), ""]) is None
    (tmp_path / "llama_cpp" / "lib").mkdir(parents=True)
    assert build_id({}, [str(tmp_path)]) is None


def test_a_package_without_metadata_still_has_its_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    libraries(tmp_path, llama=b"1")
    build = build_id({}, [str(tmp_path)])
    assert build is not None
    assert build.startswith("unknown ")
