"""What a choice is made from, and what it says of each variant."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from edged.models.cachetype import CacheType
from edged.models.figures import Measurement, Prediction  # noqa: TC001 - msgspec resolves them
from edged.models.fit import Budget, Need  # noqa: TC001 - as above
from edged.models.speeds import Speed  # noqa: TC001 - as above
from edged.models.variants import Family, Variant  # noqa: TC001 - as above

Rule: TypeAlias = Literal[
    "chosen",  # it is the one
    "quality",  # meets the target, and another file of its family is better
    "order",  # meets the target, and a family before its own does too
    "slow",  # fits, and does not meet the target
    "unknown",  # fits, and nobody knows its speed here
    "memory",  # does not fit
    "disk",  # is not here, and there is no room to fetch it
    "kind",  # is made for GPUs
    "quarantined",  # was found bad
    "fallback",  # serves when nothing else can
]
Status: TypeAlias = Literal["ok", "degraded", "none"]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A variant with all that is known of it here.

    Attributes:
        family: With its other variants, for speeds and qualities in between.
        variant: The file.
        cache: How its keys and values are kept.
        need: Memory it takes so; None if even its size is unknown.
        need_from: What that was reckoned from.
        on_disk: Whether the file is here, whole and sound.
        quarantined: Why it may not be used, if so.
        measurements: Of this file on this board with this engine, the best way to load it first.
        prediction: For this file on this board with this engine.
    """

    family: Family
    variant: Variant
    cache: CacheType = CacheType()
    need: Need | None
    need_from: Literal["header", "catalogue"] = "catalogue"
    on_disk: bool = False
    quarantined: str | None = None
    measurements: tuple[Measurement, ...] = ()
    prediction: Prediction | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a candidate, and why.

    Attributes:
        candidate: Who it is about.
        speeds: All that is known, what to go by first to last.
        speed: The one that was gone by.
        inferred: Its quality is not known; bits per weight stand for it.
        rule: What kept or dropped it.
        reason: The same in words, with the numbers.
    """

    candidate: Candidate
    speeds: tuple[Speed, ...] = ()
    speed: Speed | None = None
    inferred: bool = False
    rule: Rule
    reason: str


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which variant is to serve.

    Attributes:
        status: ok, degraded (none meets the target, so the fastest), or none (none fits).
        target: tok/s that were asked for.
        context: Tokens for which memory was reckoned.
        budget: Memory that there is.
        chosen: Id of the variant, or None.
        serves: Id of the best one that is on this disk already, until the chosen one is.
        ladder: Ids of faster ones, to step down to when heat or load keeps the rate too low.
        verdicts: Of every candidate, in the order of the catalogue.
    """

    status: Status
    target: float
    context: int
    budget: Budget
    chosen: str | None
    serves: str | None
    ladder: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    def verdict(self, name: str | None) -> Verdict | None:
        """Of the variant with this id."""
        return next((each for each in self.verdicts if each.candidate.variant.id == name), None)
