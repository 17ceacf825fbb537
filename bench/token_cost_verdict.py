"""What the time between decodes proves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bench.report import Figure, Result, Series, judged, median, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHORT: Final = 64
LONG: Final = 4096
TAIL: Final = 512  # the last tokens of a long answer
# What is measured. The last two stand at the same depth: a deep context leaves less of the caches
# to all that comes between two decodes, however long the answer is.
KINDS: Final = ("short", "long", "late", "deep")
NAMES: Final = {
    "short": f"a token of {SHORT}",
    "long": f"a token of {LONG:,}",
    "late": f"one of the last {TAIL}",
    "deep": f"a token of {SHORT} as deep",
}
GOALS: Final = {  # microseconds of a token, by vocabulary and choice
    ("1k", "greedy"): "<= 100",
    ("1k", "sampled"): "<= 100",
    ("152k", "sampled"): "<= 400",
}
FLAT_GOAL: Final = "<= 1.15"  # a late token of a long answer over one of a short answer as deep


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The mean cost of a token in some answers, outside of `llama_decode`.

    Attributes:
        vocabulary: Named by its size.
        choice: How tokens are chosen.
        streams: Answers side by side.
        kind: Of KINDS.
        cpu_us: CPU time of the worker's thread, in microseconds.
        typical_us: The same of the middle step, which a passing load does not move.
        wall_us: Wall time.
    """

    vocabulary: str
    choice: str
    streams: int
    kind: str
    cpu_us: float
    typical_us: float
    wall_us: float

    @property
    def name(self) -> str:
        """All but the kind, for a person."""
        streams = "1 stream" if self.streams == 1 else f"{self.streams} streams"
        return f"{self.vocabulary} {self.choice}, {streams}"


def judge(costs: Sequence[Cost], conditions: dict[str, str | float]) -> Result:
    """Turn what was measured into figures.

    CPU time is judged; wall time also counts neighbours, and is told.
    """
    groups: dict[str, list[Cost]] = {}
    for cost in costs:
        groups.setdefault(cost.name, []).append(cost)
    return Result(
        figures=tuple(figure for group in groups.values() for figure in _figures(group)),
        conditions=conditions,
        series=tuple(
            Series(name=f"{name}, {NAMES[kind]}", unit="us", values=_cpu(group, kind))
            for name, group in groups.items()
            for kind in KINDS
        ),
    )


def _figures(group: Sequence[Cost]) -> Iterator[Figure]:
    name = group[0].name
    goal = GOALS.get((group[0].vocabulary, group[0].choice))
    cost = {kind: median(_cpu(group, kind)) for kind in KINDS}
    for kind in ("short", "long"):
        what = f"{name}: {NAMES[kind]}"
        yield judged(what, cost[kind], goal, "us") if goal else told(what, cost[kind], "us")
    wall = median(one.wall_us for one in group if one.kind == "long")
    yield told(f"{name}: same, wall time", wall, "us")
    late, deep = (
        median(one.typical_us for one in group if one.kind == kind) for kind in ("late", "deep")
    )
    ratio = late / deep if late is not None and deep else None
    yield judged(f"{name}: {NAMES['late']} / {NAMES['deep']}", ratio, FLAT_GOAL)


def _cpu(group: Sequence[Cost], kind: str) -> tuple[float, ...]:
    return tuple(cost.cpu_us for cost in group if cost.kind == kind)
