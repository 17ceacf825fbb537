from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.errors import StorageError
from edged.models.calibrationfile import calibration_path, load_calibration, save_calibration
from tests.models.test_calibration import known, rate

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_saved_is_loaded_by_the_same_board_alone(tmp_path: Path) -> None:
    found = known(rate("q4_K"))
    path = save_calibration(tmp_path / "state", found)
    assert path == calibration_path(tmp_path / "state", "b")
    assert path.stat().st_mode & 0o077 == 0
    assert load_calibration(tmp_path / "state", "b") == found
    assert load_calibration(tmp_path / "state", "c") is None


def test_a_file_of_another_board_under_this_name_is_not_taken(tmp_path: Path) -> None:
    path = save_calibration(tmp_path, known(rate("q4_K")))
    path.rename(calibration_path(tmp_path, "c"))
    assert load_calibration(tmp_path, "c") is None


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("in the way")
    with pytest.raises(StorageError, match="figures"):
        save_calibration(tmp_path, known(rate("q4_K")))
