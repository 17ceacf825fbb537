"""What was found out about this board before, kept in the state directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edged.models.calibration import Calibration  # noqa: TC001 - msgspec resolves it
from edged.models.calibrationfile import load_calibration
from edged.models.figures import Measurement  # noqa: TC001 - as above
from edged.models.figurestore import load_measured

if TYPE_CHECKING:
    from pathlib import Path


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Speeds known of this board with this engine.

    Attributes:
        measured: Of model files, by `Measurement.digest`.
        calibration: What predictions are made from; None if it was never calibrated.
    """

    measured: tuple[Measurement, ...] = ()
    calibration: Calibration | None = None

    def of(self, digest: str) -> tuple[Measurement, ...]:
        """Measurements of one file."""
        return tuple(each for each in self.measured if each.digest == digest)


def load_figures(state_dir: Path | None, board: str) -> Figures:
    """Everything that holds for this board; empty where nothing is or can be read.

    Args:
        state_dir: The daemon's; None knows nothing.
        board: `DeviceFacts.fingerprint` with the engine's build.
    """
    if state_dir is None:
        return Figures()
    return Figures(
        measured=tuple(each for each in load_measured(state_dir) if each.board == board),
        calibration=load_calibration(state_dir, board),
    )
