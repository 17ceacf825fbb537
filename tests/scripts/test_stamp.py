from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from scripts import stamp
from tests.scripts.test_release_check import git

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    worker = "edged/engine/worker"
    for name in ("debian/control", "debian/changelog", "edged/core.py", f"{worker}/library.py"):
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


def test_which_library_is_loaded_is_an_input_and_what_it_computes_is_not(tree: Path) -> None:
    for test in stamp.INPUTS:
        stamp.main(tree, ["write", test])
    (tree / "edged/engine/worker/loop.py").write_text("other")
    assert all(stamp.fits(tree, test) for test in stamp.INPUTS)
    (tree / "edged/engine/worker/library.py").write_text("other")
    assert not any(stamp.fits(tree, test) for test in stamp.INPUTS)


def test_a_board_is_not_booted_for_a_test_of_the_container(tree: Path) -> None:
    for test in stamp.INPUTS:
        stamp.main(tree, ["write", test])
    (tree / "tests/machine/test_it.py").write_text("other")
    assert not stamp.fits(tree, "machine")
    assert stamp.fits(tree, "pi")
    (tree / "tests/machine/roots.py").write_text("other")
    assert not stamp.fits(tree, "pi")


def test_a_release_changes_no_stamp(tree: Path) -> None:
    stamp.main(tree, ["write", "machine"])
    (tree / "debian/changelog").write_text("the next version")
    assert stamp.fits(tree, "machine")


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
    names |= stamp.ELSEWHERE
    assert [name for name in sorted(names) if not (stamp.ROOT / name).exists()] == []


def test_what_boards_are_made_with_is_an_input_of_theirs() -> None:
    text = "".join(path.read_text() for path in (stamp.ROOT / "tests" / "pi").glob("*.py"))
    found = re.findall(r"^ *from tests\.machine(?:\.| import )([\w, ]+)", text, re.MULTILINE)
    taken = {name.split()[0] for names in found for name in names.split(",")}
    assert "machine" in taken
    assert {f"tests/machine/{name}.py" for name in taken} <= set(stamp.INPUTS["pi"])
