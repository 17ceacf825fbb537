"""Our unit, as systemd knows it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from edged.doctor.facts import Skipped, Unit
from edged.doctor.house import PROPERTIES

if TYPE_CHECKING:
    from collections.abc import Sequence

SYSTEMCTL = ("systemctl", "show", "edged.service", f"--property={','.join(PROPERTIES)}")
RUNNING = Path("/run/systemd/system")  # is there where systemd is the first process
TIMEOUT_S = 10.0
MAX_TEXT = 16_384


def unit(command: Sequence[str] = SYSTEMCTL, running: Path = RUNNING) -> Unit | Skipped:
    """Ask systemd; never raises.

    Args:
        command: Tests give their own.
        running: As above.
    """
    if not running.is_dir():
        return Skipped("systemd does not run here")
    try:
        done = subprocess.run(  # noqa: S603 - a constant
            command, capture_output=True, timeout=TIMEOUT_S, check=True, text=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Skipped(f"systemctl does not answer: {error}")
    pairs = (line.partition("=") for line in done.stdout[:MAX_TEXT].splitlines())
    return Unit({name: text for name, _, text in pairs})
