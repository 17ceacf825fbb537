from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import stamp
from tests.scripts.test_release_check import git

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("debian/control", "edged/core.py", "edged/engine/worker/loop.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for name in stamp.INPUTS:
        (tmp_path / "tests" / name).mkdir(parents=True)
        (tmp_path / "tests" / name / "test_it.py").write_text(name)
    git(tmp_path, "init", "-q")
    return tmp_path


def test_a_stamp_fits_until_an_input_changes(tree: Path) -> None:
    assert "make test-machine" in (stamp.main(tree, ["check", "machine"]) or "")
    assert stamp.main(tree, ["write", "machine"]) is None
    assert stamp.main(tree, ["check", "machine"]) is None
    (tree / "edged/core.py").write_text("other")
    assert stamp.main(tree, ["check", "machine"]) is None
    (tree / "debian/control").write_text("other")
    assert stamp.main(tree, ["check", "machine"]) is not None


def test_what_computes_is_an_input_of_the_board_alone(tree: Path) -> None:
    for test in stamp.INPUTS:
        stamp.main(tree, ["write", test])
    (tree / "edged/engine/worker/loop.py").write_text("other")
    assert stamp.main(tree, ["check", "machine"]) is None
    assert stamp.main(tree, ["check", "pi"]) is not None


def test_committing_changes_nothing_and_removing_does(tree: Path) -> None:
    stamp.main(tree, ["write", "machine"])
    git(tree, "add", "-A")
    assert stamp.fits(tree, "machine")
    (tree / "tests/machine/test_it.py").unlink()
    assert not stamp.fits(tree, "machine")


@pytest.mark.parametrize("words", [[], ["check"], ["check", "moon"], ["burn", "pi"]])
def test_other_words_are_refused(tree: Path, words: list[str]) -> None:
    assert (stamp.main(tree, words) or "").startswith("usage")


def test_every_input_is_there() -> None:
    names = {name for inputs in stamp.INPUTS.values() for name in inputs}
    assert [name for name in sorted(names) if not (stamp.ROOT / name).exists()] == []
