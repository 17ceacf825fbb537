"""A board's calibration on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.errors import StorageError
from edged.files import read_bounded, write_atomic
from edged.models.calibration import MAX_BYTES, Calibration, decode, encode

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "figures"


def calibration_path(state_dir: Path, board: str) -> Path:
    """Where the calibration of a board is.

    Args:
        state_dir: The daemon's.
        board: `DeviceFacts.fingerprint`.
    """
    return state_dir / FOLDER / f"calibration-{board}.json"


def load_calibration(state_dir: Path, board: str) -> Calibration | None:
    """The calibration of this board and engine, or None if there is none that can be read."""
    try:
        data = read_bounded(calibration_path(state_dir, board), MAX_BYTES)
    except StorageError:
        return None
    return decode(data, board)


def save_calibration(state_dir: Path, calibration: Calibration) -> Path:
    """Keep a calibration; returns its file.

    Raises:
        StorageError: It cannot be written.
    """
    path = calibration_path(state_dir, calibration.board)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"{path.parent} cannot be made: {error.strerror}"
        raise StorageError(message) from error
    write_atomic(path, encode(calibration))
    return path
