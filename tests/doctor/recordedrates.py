"""Measurements of one file on one board, with engines of now and before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from edged.doctor.facts import Facts, Rates
from edged.doctor.slowness import causes
from tests.doctor.judging import FACTS, PI_5
from tests.models.values import measurement

if TYPE_CHECKING:
    from edged.models.figures import Measurement, Prediction

NOW, BEFORE = "llama 2", "llama 1"
OLD_KERNEL = replace(PI_5, kernel="6.6")


def taken(tps: float, build: str = NOW, *, hot: bool = False, wall: float = 2.0) -> Measurement:
    board = PI_5.fingerprint(build)
    return measurement(
        tps, digest="d", board=board, build=build, hot=hot, wall=wall, temp_c=81.0 if hot else 60.0
    )


def rates(
    *measured: Measurement,
    sustained: float | None = None,
    paced: str = "",
    promised: Prediction | None = None,
) -> Rates:
    return Rates(
        measured=measured,
        build=NOW,
        board=PI_5.fingerprint(NOW),
        serves="d",
        name="v",
        sustained=sustained,
        paced=paced,
        prediction=promised,
    )


def facts(found: Rates | None = None, **changes: object) -> Facts:
    return replace(FACTS, rates=found or Rates(), **changes)


def codes(judged: Facts) -> list[str]:
    return [finding.code for finding in causes(judged)]
