"""Measurements on disk: what files did on this board, and on boards this disk was in before."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from edged.errors import StorageError
from edged.files import read_bounded, write_atomic
from edged.models.figures import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FOLDER = "figures"
FILE = "measured.json"
MAX_KEPT = 256  # files times boards and engine builds; the oldest fall out
MAX_BYTES = 4 << 20  # of the file; a measurement takes 1 to 3 KiB

_decoder = msgspec.json.Decoder(tuple[Measurement, ...])


def measured_path(state_dir: Path) -> Path:
    """Where the measurements are.

    Args:
        state_dir: The daemon's.
    """
    return state_dir / FOLDER / FILE


def load_measured(state_dir: Path) -> tuple[Measurement, ...]:
    """All that is kept, the oldest first; nothing where there is no file that can be believed."""
    try:
        found = _decoder.decode(read_bounded(measured_path(state_dir), MAX_BYTES))
    except (StorageError, ValueError, RecursionError):
        # Measuring anew costs minutes, guessing at a damaged file costs a wrong choice.
        return ()
    return tuple(measurement for measurement in found if is_sound(measurement))[-MAX_KEPT:]


def save_measured(state_dir: Path, measurement: Measurement) -> Path:
    """Keep one more; returns the file.

    Raises:
        StorageError: It cannot be written.
    """
    path = measured_path(state_dir)
    kept = merged(load_measured(state_dir), measurement)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"{path.parent} cannot be made: {error.strerror}"
        raise StorageError(message) from error
    write_atomic(path, msgspec.json.encode(kept))
    return path


def find_measured(known: Iterable[Measurement], like: Measurement) -> Measurement | None:
    """What is known of the same file, on the same board, loaded in the same way.

    Args:
        known: See `load_measured`.
        like: Of that file, board and setting.
    """
    wanted = _which(like)
    return next((measurement for measurement in known if _which(measurement) == wanted), None)


def merged(known: Iterable[Measurement], new: Measurement) -> tuple[Measurement, ...]:
    """With the new one in place of what was known of that file, so loaded, there.

    One that was taken hot does not replace one that was not: the latter is still true.
    """
    kept = list(known)
    before = find_measured(kept, new)
    if before is not None:
        if new.hot and not before.hot:
            return tuple(kept)
        kept.remove(before)
    return (*kept, new)[-MAX_KEPT:]


def _which(measurement: Measurement) -> tuple[str, str, bool, str]:
    return measurement.digest, measurement.board, measurement.repack, measurement.kv_type


def is_sound(measurement: Measurement) -> bool:
    """Whether its numbers can be ones of a board: finite, speeds above zero."""
    speeds = [measurement.tps, measurement.pp, *(depth.tps for depth in measurement.depths)]
    counts = measurement.threads, measurement.threads_batch
    errors = measurement.error, measurement.pp_error
    return (
        all(isfinite(speed) and speed > 0 for speed in speeds)
        and all(isfinite(error) and error >= 0 for error in errors)
        and min(counts) >= 1
        and isfinite(measurement.wall)
    )
