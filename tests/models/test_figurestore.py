"""Measurements come back as they were, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from edged.errors import StorageError
from edged.models import figurestore
from edged.models.figures import Depth, Measurement, Try
from edged.models.figurestore import find_measured, load_measured, measured_path, save_measured

if TYPE_CHECKING:
    from pathlib import Path


def measurement(digest: str = "d", board: str = "b", **fields: Any) -> Measurement:
    given = {"tps": 8.0, "pp": 11.0, "threads": 3, "threads_batch": 4, "repack": True, "wall": 1.0}
    return Measurement(digest=digest, board=board, **{**given, **fields})


FULL = measurement(
    error=0.03,
    pp_error=0.1,
    depths=(Depth(0, 8.0), Depth(4096, 6.5)),
    temp_c=71.5,
    began_c=48.0,
    khz=2_400_000,
    hot=True,
    context=8192,
    build="0.3.36 x",
    tries=(Try(repack=True, kv_type="f16", kind="tg", threads=3, tps=8.1),),
)


def write(state: Path, data: bytes) -> None:
    path = measured_path(state)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    state = tmp_path / "not" / "yet"
    other = measurement("e")
    assert load_measured(state) == ()
    path = save_measured(state, FULL)
    assert path == state / "figures" / "measured.json"
    assert path.stat().st_mode & 0o777 == 0o600
    save_measured(state, other)
    assert load_measured(state) == (FULL, other)
    assert find_measured(load_measured(state), measurement("e", tps=1.0)) == other
    for unlike in ({"board": "other"}, {"repack": False}, {"kv_type": "q8_0"}):
        assert find_measured(load_measured(state), measurement("e", **unlike)) is None


def test_the_same_file_on_the_same_board_is_kept_once(tmp_path: Path) -> None:
    for kept in (measurement(), measurement("e"), measurement(board="c"), measurement(tps=9.0)):
        save_measured(tmp_path, kept)
    found = load_measured(tmp_path)
    assert [(one.digest, one.board, one.tps) for one in found] == [
        ("e", "b", 8.0),
        ("d", "c", 8.0),
        ("d", "b", 9.0),
    ]


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [(False, True, 8.0), (True, True, 9.0), (True, False, 9.0), (False, False, 9.0)],
)
def test_a_hot_one_does_not_replace_a_cool_one(
    tmp_path: Path, before: bool, after: bool, kept: float
) -> None:
    save_measured(tmp_path, measurement(hot=before))
    save_measured(tmp_path, measurement(hot=after, tps=9.0))
    assert [one.tps for one in load_measured(tmp_path)] == [kept]


def test_the_oldest_fall_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figurestore, "MAX_KEPT", 3)
    for number in range(5):
        save_measured(tmp_path, measurement(str(number)))
    assert [one.digest for one in load_measured(tmp_path)] == ["2", "3", "4"]


def test_as_many_as_are_kept_can_be_read_again(tmp_path: Path) -> None:
    many = [msgspec.structs.replace(FULL, digest=f"{number:064}") for number in range(256)]
    tries = FULL.tries * 40
    write(tmp_path, msgspec.json.encode([msgspec.structs.replace(m, tries=tries) for m in many]))
    assert len(load_measured(tmp_path)) == 256


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1]",
        b"[{}]",
        b"\xff\xfe",
        b"[" * 100_000,
        msgspec.json.encode([{**msgspec.to_builtins(FULL), "tps": "fast"}]),
        msgspec.json.encode([FULL])[:-9],
        b" " * (figurestore.MAX_BYTES + 1),
    ],
    ids=["empty", "object", "number", "nothing", "no text", "deep", "type", "cut off", "huge"],
)
def test_a_damaged_file_is_as_none_and_is_replaced(tmp_path: Path, data: bytes) -> None:
    write(tmp_path, data)
    assert load_measured(tmp_path) == ()
    save_measured(tmp_path, FULL)
    assert load_measured(tmp_path) == (FULL,)


@pytest.mark.parametrize(
    "fields",
    [
        {"tps": 0.0},
        {"tps": -1.0},
        {"pp": 0.0},
        {"error": -0.1},
        {"pp_error": -0.1},
        {"threads": 0},
        {"threads_batch": -1},
        {"depths": (Depth(0, 0.0),)},
    ],
    ids=str,
)
def test_what_no_board_does_is_passed_over(tmp_path: Path, fields: dict[str, Any]) -> None:
    write(tmp_path, msgspec.json.encode([measurement(**fields), FULL]))
    assert load_measured(tmp_path) == (FULL,)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "figures").write_bytes(b"")
    with pytest.raises(StorageError, match="figures cannot be made"):
        save_measured(tmp_path, FULL)
