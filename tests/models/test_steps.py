from __future__ import annotations

import msgspec
import pytest

from edged.models.steps import (
    Calibrate,
    Fetch,
    MeasureServing,
    ReadHeaders,
    Rest,
    Situation,
    Step,
    StopFetching,
    Swap,
    Try,
    next_step,
)

SETTLED = Situation(
    serving="a", local="a", best="a", measured=True, calibrated=True, may_fetch=True
)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, Rest()),
        ({"local": "b"}, Swap("b")),
        ({"local": "b", "measured": False, "calibrated": False}, Swap("b")),
        ({"measured": False, "calibrated": False, "best": "c"}, MeasureServing()),
        ({"calibrated": False, "best": "c"}, Calibrate()),
        ({"untried": True, "calibrated": False, "unlike": True}, Try()),
        ({"untried": True, "measured": False}, MeasureServing()),
        ({"unlike": True, "calibrated": False}, Swap("a")),
        ({"best": "c"}, Fetch("c")),
        ({"best": "c", "fetching": "b"}, Fetch("c")),
        ({"calibrated": False, "unread": True}, Calibrate()),
        ({"best": "c", "unread": True}, ReadHeaders()),
        ({"unread": True}, ReadHeaders()),
        ({"best": "c", "unread": True, "fetching": "c"}, Rest()),
        ({"best": "c", "fetching": "c"}, Rest()),
        ({"best": "c", "may_fetch": False}, Rest()),
        ({"fetching": "c"}, StopFetching()),
        ({"best": "c", "fetching": "c", "may_fetch": False}, StopFetching()),
        ({"local": None, "best": None}, Rest()),
        ({"local": None, "best": "c"}, Fetch("c")),
    ],
)
def test_one_step_after_the_other(changes: dict[str, object], step: Step) -> None:
    assert next_step(msgspec.structs.replace(SETTLED, **changes)) == step


def test_every_way_ends_in_rest() -> None:
    """Whoever does what he is told comes to an end."""
    now = msgspec.structs.replace(
        SETTLED,
        serving="pocket",
        local="a",
        best="c",
        measured=False,
        calibrated=False,
        unread=True,
        untried=True,
    )
    steps: list[Step] = []
    while not isinstance(step := next_step(now), Rest):
        steps.append(step)
        match step:
            case Swap(variant):
                again = now.serving == variant
                now = msgspec.structs.replace(now, serving=variant, measured=again, unlike=False)
            case Try():
                now = msgspec.structs.replace(now, untried=False, measured=False, unlike=True)
            case MeasureServing():
                now = msgspec.structs.replace(now, measured=True)
            case Calibrate():
                now = msgspec.structs.replace(now, calibrated=True)
            case ReadHeaders():
                now = msgspec.structs.replace(now, unread=False)
            case Fetch(variant):
                now = msgspec.structs.replace(now, local=variant)
    assert steps == [
        Swap("a"),
        MeasureServing(),
        Try(),
        MeasureServing(),
        Swap("a"),
        Calibrate(),
        ReadHeaders(),
        Fetch("c"),
        Swap("c"),
        MeasureServing(),
    ]
