"""What a flood's history proves."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench.report import Figure, Result, Series, judged, told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.rig.client import Record

MEMORY_GOAL: Final = "<= 32"  # MiB
ANSWER_GOAL: Final = "<= 1"  # seconds, of cancel and of telemetry
REFUSALS: Final = frozenset({"busy", "too_many"})
MIB: Final = 2**20


class Flood(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a flood.

    Attributes:
        replies: Every terminal reply, by id.
        began: Monotonic seconds at the first prompt.
        sent: When the broker had them all.
        ended: When the last reply came.
        cancels: For each prompt taken back, the seconds until its terminal reply; None
            if there was none.
        states: When each state came.
        memory: The daemon's RSS before and during, in bytes.
    """

    replies: dict[str, list[dict[str, Any]]]
    began: float
    sent: float
    ended: float
    cancels: tuple[float | None, ...]
    states: tuple[float, ...]
    memory: tuple[int, ...]


def by_id(records: Iterable[Record]) -> dict[str, list[tuple[float, dict[str, Any]]]]:
    """When each reply came and what it said, by id."""
    found: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    for record in records:
        if "/reply/" in record.topic:
            name = record.topic.rpartition("/")[2]
            found.setdefault(name, []).append((record.at, record.json()))
    return found


def delay(answers: list[tuple[float, dict[str, Any]]] | None, sent: float) -> float | None:
    """Seconds from a cancel to the terminal reply; 0 if the reply was there before."""
    return max(0.0, answers[0][0] - sent) if answers else None


def judge(flood: Flood, wanted: set[str], conditions: dict[str, str | float]) -> Result:
    """Turn what came back into figures; `wanted` are the ids that must be answered."""
    kinds = Counter(kind(replies[0]) for replies in flood.replies.values())
    delays = [seconds for seconds in flood.cancels if seconds is not None]
    gaps = silences(flood)
    growth = [(value - flood.memory[0]) / MIB for value in flood.memory]
    figures: tuple[Figure, ...] = (
        judged("prompts without a terminal reply", len(wanted - set(flood.replies)), "== 0"),
        judged(
            "prompts with more than one", sum(len(r) > 1 for r in flood.replies.values()), "== 0"
        ),
        judged("replies that are neither answer nor refusal", kinds["wrong"], "== 0"),
        told("answered", kinds["ok"]),
        told("refused with a time to try again", kinds["refused"]),
        told("taken back", kinds["cancelled"]),
        judged("memory of the daemon, growth at most", max(growth), MEMORY_GOAL, "MiB"),
        judged("cancels without a reply", sum(s is None for s in flood.cancels), "== 0"),
        judged("slowest cancel", max(delays, default=None), ANSWER_GOAL, "s"),
        judged("longest gap between states", max(gaps, default=None), ANSWER_GOAL, "s"),
        told("last prompt sent after", flood.sent - flood.began, "s"),
        told("last reply after", flood.ended - flood.began, "s"),
    )
    return Result(
        figures=figures,
        conditions=conditions,
        series=(
            Series(name="daemon RSS growth", unit="MiB", values=tuple(growth)),
            Series(name="time to a cancel's reply", unit="s", values=tuple(delays)),
            Series(name="gap between states", unit="s", values=tuple(gaps)),
        ),
    )


def kind(reply: dict[str, Any]) -> str:
    """`ok`, `cancelled`, `refused`, or `wrong` for anything a flood must not cause."""
    status = reply.get("status")
    if status in {"ok", "cancelled"}:
        return str(status)
    error = reply.get("error") or {}
    told_when = isinstance(error.get("retry_after_s"), int | float)
    refused = status == "rejected" and error.get("code") in REFUSALS and told_when
    return "refused" if refused else "wrong"


def silences(flood: Flood) -> list[float]:
    """Seconds without a state, from the first prompt to the last reply."""
    inside = [at for at in flood.states if flood.began <= at <= flood.ended]
    moments = [flood.began, *inside, flood.ended]
    return [after - before for before, after in pairwise(moments)]
