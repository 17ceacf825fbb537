"""What a flood's history proves."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench.report import Figure, Result, Series, judged, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.rig.client import Record

MEMORY_GOAL: Final = "<= 32"  # MiB
ANSWER_GOAL: Final = "<= 1"  # seconds, of cancel and of telemetry
REFUSALS: Final = frozenset({"busy", "too_many"})
MIB: Final = 2**20


Answers = dict[str, list[tuple[float, dict[str, Any]]]]


class Flooded(msgspec.Struct, frozen=True, kw_only=True):
    """What the flooding side saw.

    Attributes:
        began: Monotonic seconds at the first prompt.
        sent: When the last prompt was handed to the client.
        answered: When each terminal reply came and what it said, by id.
    """

    began: float
    sent: float
    answered: Answers

    @property
    def ended(self) -> float:
        """When the last reply came."""
        return self._last(lambda _: True)

    @property
    def refused(self) -> float:
        """When the last refusal came: so long the flood lasted."""
        return self._last(lambda reply: kind(reply) == "refused")

    def _last(self, wanted: Callable[[dict[str, Any]], bool]) -> float:
        answers = (answer for answers in self.answered.values() for answer in answers)
        return max((at for at, reply in answers if wanted(reply)), default=self.sent)


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """What another client saw meanwhile.

    Attributes:
        asked: Ids of its prompts.
        answered: When each terminal reply to them came and what it said, by id.
        cancelled: When it took prompts back, by id.
        states: When each state came.
        memory: The daemon's RSS before and during the flood, in bytes.
    """

    asked: tuple[str, ...]
    answered: Answers
    cancelled: dict[str, float]
    states: tuple[float, ...]
    memory: tuple[int, ...]

    @property
    def delays(self) -> list[float | None]:
        """Seconds from each cancel to the terminal reply; None where none came."""
        return [delay(self.answered.get(name), at) for name, at in self.cancelled.items()]


def by_id(records: Iterable[Record]) -> Answers:
    """When each reply came and what it said, by id."""
    found: Answers = {}
    for record in records:
        if "/reply/" in record.topic:
            name = record.topic.rpartition("/")[2]
            found.setdefault(name, []).append((record.at, record.json()))
    return found


def delay(answers: list[tuple[float, dict[str, Any]]] | None, sent: float) -> float | None:
    """Seconds from a cancel to the terminal reply; 0 if the reply was there before."""
    return max(0.0, answers[0][0] - sent) if answers else None


def judge(
    flood: Flooded, quiet: Quiet, wanted: set[str], conditions: dict[str, str | float]
) -> Result:
    """Turn what came back into figures; `wanted` are the flood's ids."""
    answers = {**flood.answered, **quiet.answered}
    kinds = Counter(kind(replies[0][1]) for replies in answers.values())
    unanswered = (wanted | set(quiet.asked)) - set(answers)
    twice = sum(len(replies) > 1 for replies in answers.values())
    times = [seconds for seconds in quiet.delays if seconds is not None]
    gaps = silences(flood, quiet)
    growth = [(value - quiet.memory[0]) / MIB for value in quiet.memory]
    meanwhile = sum(flood.began <= at <= flood.refused for at in quiet.cancelled.values())
    figures: tuple[Figure, ...] = (
        judged("prompts without a terminal reply", len(unanswered), "== 0"),
        judged("prompts with more than one", twice, "== 0"),
        judged("replies that are neither answer nor refusal", kinds["wrong"], "== 0"),
        told("answered", kinds["ok"]),
        told("refused with a time to try again", kinds["refused"]),
        told("taken back", kinds["cancelled"]),
        judged("memory of the daemon, growth at most", max(growth), MEMORY_GOAL, "MiB"),
        judged("cancels without a reply", sum(s is None for s in quiet.delays), "== 0"),
        judged("slowest cancel", max(times, default=None), ANSWER_GOAL, "s"),
        told("cancels while prompts were refused", meanwhile),
        judged("longest gap between states", max(gaps, default=None), ANSWER_GOAL, "s"),
        told("last prompt sent after", flood.sent - flood.began, "s"),
        told("last refusal after", flood.refused - flood.began, "s"),
        told("last answer after", flood.ended - flood.began, "s"),
    )
    return Result(
        figures=figures,
        conditions=conditions,
        series=(
            Series(name="daemon RSS growth", unit="MiB", values=tuple(growth)),
            Series(name="time to a cancel's reply", unit="s", values=tuple(times)),
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


def silences(flood: Flooded, quiet: Quiet) -> list[float]:
    """Seconds without a state, from the first prompt to the last reply."""
    inside = [at for at in quiet.states if flood.began <= at <= flood.ended]
    moments = [flood.began, *inside, flood.ended]
    return [after - before for before, after in pairwise(moments)]
