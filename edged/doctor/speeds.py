"""Reads what was recorded of speeds: measurements, calibration, and what the daemon tells now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edged.daemon.model import POCKET
from edged.doctor.facts import Rates
from edged.engine.build import build_id
from edged.errors import ModelError
from edged.models.figurestore import load_measured
from edged.models.fingerprint import fingerprint
from edged.models.local import check_file

if TYPE_CHECKING:
    from edged.doctor.place import Place
    from edged.models.survey import Survey


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """The file that serves, or would.

    Attributes:
        name: What it is called.
        path: Where it is; of a recorded board it may not be there.
        digest: See `edged.models.fingerprint`; empty if it is no model.
    """

    name: str
    path: Path
    digest: str


def engine(place: Place) -> str:
    """The engine that computes: this machine's own, or that of the last measurement recorded."""
    if place.live:
        return build_id() or "unknown"
    known = load_measured(place.state)
    return known[-1].build if known else ""


def served(place: Place, found: Survey) -> Served:
    """The configured file, else the chosen one that is on the disk, else the packaged one.

    Of a recorded board model files are seldom copied: there it is what was measured last.
    """
    configured = place.config.model.path
    here = found.inventory.found.get(found.choice.serves or "")
    path = POCKET if here is None else here.path
    if configured is not None:
        path = Path(configured)
    known = () if place.live else load_measured(place.state)
    if known:
        return Served(name="what was measured last", path=path, digest=known[-1].digest)
    name = found.choice.serves if configured is None else None
    return Served(name=name or path.stem, path=path, digest=_digest(path))


def rates(
    place: Place, found: Survey, serving: Served, build: str, state: dict[str, object]
) -> Rates:
    """All of it.

    Args:
        place: Which board.
        found: What is known of its models.
        serving: The file in question.
        build: The engine.
        state: What the daemon retained on the broker; empty if nothing is known.
    """
    verdict = found.choice.verdict(serving.name)
    sustained, throttle = state.get("tps_15m"), state.get("throttle")
    return Rates(
        measured=load_measured(place.state),
        build=build,
        board=found.facts.fingerprint(build),
        serves=serving.digest,
        name=serving.name,
        prediction=None if verdict is None else verdict.candidate.prediction,
        sustained=float(sustained) if isinstance(sustained, int | float) else None,
        paced=throttle if isinstance(throttle, str) and throttle != "none" else "",
    )


def _digest(path: Path) -> str:
    try:
        return fingerprint(path, check_file(path).data_offset).digest
    except ModelError:
        return ""
