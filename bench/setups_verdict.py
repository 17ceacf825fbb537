"""What measuring each way to set up the child proves about the defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bench.report import Figure, Result, Series, judged, median, told

if TYPE_CHECKING:
    from collections.abc import Sequence

SHIPPED: Final = "as shipped"
# Decoding is what people feel, so no other setup may be clearly faster at it.
DECODE_GOAL: Final = ">= 0.95"
# Repacking may cost reading what it gains decoding (14 % were seen with AVX-512).
READ_GOAL: Final = ">= 0.8"


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One round of one setup.

    Attributes:
        setup: Its name.
        read: Prompt tokens per second.
        decode: Decoded tokens per second at an empty context.
        deep: The same at a filled context.
        cache_mib: Memory of all cached keys and values.
        own_mib: Memory of the process that it shares with nobody, without the mapped file.
        load_s: Seconds to load.
    """

    setup: str
    read: float
    decode: float
    deep: float
    cache_mib: float
    own_mib: float
    load_s: float


COLUMNS: Final = {
    "decode": "tok/s",
    "deep": "tok/s",
    "read": "tok/s",
    "cache_mib": "MiB",
    "own_mib": "MiB",
    "load_s": "s",
}
TITLES: Final = {
    "decode": "decode, empty context",
    "deep": "decode, filled context",
    "read": "read",
    "cache_mib": "cache",
    "own_mib": "own memory",
    "load_s": "load",
}


def judge(measured: Sequence[Measured], conditions: dict[str, str | float]) -> Result:
    """Turn the rounds into figures: the defaults against the best of each column, and all rows."""
    setups = list(dict.fromkeys(one.setup for one in measured))
    rows: list[Figure] = []
    for setup in setups:
        for column, unit in COLUMNS.items():
            rows.append(told(f"{setup}: {TITLES[column]}", _median(measured, setup, column), unit))
    return Result(
        figures=(
            judged("shipped decode / best decode", _share(measured, setups, "decode"), DECODE_GOAL),
            judged("shipped deep decode / best", _share(measured, setups, "deep"), DECODE_GOAL),
            judged("shipped read / best read", _share(measured, setups, "read"), READ_GOAL),
            *rows,
        ),
        conditions=conditions,
        series=tuple(
            Series(
                name=setup,
                unit="tok/s",
                values=tuple(one.decode for one in measured if one.setup == setup),
            )
            for setup in setups
        ),
    )


def _median(measured: Sequence[Measured], setup: str, column: str) -> float:
    return median(getattr(one, column) for one in measured if one.setup == setup) or 0.0


def _share(measured: Sequence[Measured], setups: Sequence[str], column: str) -> float | None:
    """The shipped setup's median of the ratio to the best of each round: noise hits a round."""
    ratios = []
    rounds = zip(*([one for one in measured if one.setup == s] for s in setups), strict=True)
    for row in rounds:
        values = {one.setup: float(getattr(one, column)) for one in row}
        ratios.append(values[SHIPPED] / max(values.values()))
    return median(ratios)
