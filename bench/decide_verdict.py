"""What the times of decisions prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bench.by_model import by_model
from bench.report import Figure, Result, judged, median, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BARE_GOAL: Final = "<= 1.15"
WRITTEN_GOAL: Final = ">= 3"
NOTES: Final = (
    "Decided and written with the prompt known: reading it takes both of them as long.",
    "Agreement is with greedy generation under a schema that allows the same answers.",
)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One decision, made in several ways; all times from the first step to the last.

    Attributes:
        model: Its name.
        prompt_tokens: Of the prompt.
        bare_ms: Reading a prompt as long.
        cold_ms: Deciding, with all of the prompt to be read.
        warm_ms: Deciding again, with one token to be read.
        written_ms: Writing the decision under a schema, with one token to be read.
        agrees: Whether both chose the same.
    """

    model: str
    prompt_tokens: int
    bare_ms: float
    cold_ms: float
    warm_ms: float
    written_ms: float
    agrees: bool

    @property
    def beside_bare(self) -> float:
        """Deciding over reading."""
        return self.cold_ms / self.bare_ms

    @property
    def gain(self) -> float:
        """Writing over deciding."""
        return self.written_ms / self.warm_ms


def judge(cases: Sequence[Case], conditions: dict[str, str | float]) -> Result:
    """Each model against the goals."""
    return by_model(
        cases,
        _figures,
        curve="a decision / reading its prompt",
        value=lambda case: case.beside_bare,
        conditions=conditions,
        notes=NOTES,
    )


def _figures(model: str, cases: Sequence[Case]) -> Iterator[Figure]:
    tokens = median(float(case.prompt_tokens) for case in cases)
    yield told(f"{model}: tokens of the prompt", tokens)
    yield told(f"{model}: reading it", median(case.bare_ms for case in cases), "ms")
    beside = median(case.beside_bare for case in cases)
    yield judged(f"{model}: reading and deciding / reading", beside, BARE_GOAL)
    yield told(f"{model}: deciding, prompt known", median(case.warm_ms for case in cases), "ms")
    gain = median(case.gain for case in cases)
    yield judged(f"{model}: writing under a schema / deciding", gain, WRITTEN_GOAL)
    agreed = 100 * sum(case.agrees for case in cases) / len(cases)
    yield told(f"{model}: agreement with greedy generation", agreed, "%")
