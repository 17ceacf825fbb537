"""From candidates to a choice, with a reason for each.

In the families' order, the first with a file that fits and decodes at the target; in it, the file
of the highest quality. If none meets the target, the fastest that fits. If none fits, nothing is
chosen and the fallback serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.models import speeds
from edged.models.candidates import Candidate, Choice, Verdict
from edged.models.reasons import Terms, Weighed, compare, weigh

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.models.candidates import Status


def choose(candidates: Sequence[Candidate], terms: Terms) -> Choice:
    """The variant that is to serve, and what became of each.

    Args:
        candidates: In the catalogue's order.
        terms: What they are held to.
    """
    timed = [(each.variant, speeds.measured(each.measurements)) for each in candidates]
    known = [(variant, speed) for variant, speed in timed if speed is not None]
    weighed = [weigh(each, terms, known) for each in candidates]
    usable = [each for each in weighed if each.dropped is None]
    chosen, status = _pick(usable)
    here, _ = _pick([each for each in usable if each.candidate.on_disk])
    return Choice(
        status=status,
        target=terms.target,
        context=terms.context,
        budget=terms.budget,
        chosen=None if chosen is None else chosen.id,
        serves=_fallback(candidates) if here is None else here.id,
        ladder=() if chosen is None else _ladder(chosen, usable),
        verdicts=tuple(_verdict(each, chosen, terms.target) for each in weighed),
    )


def selectable(candidates: Sequence[Candidate], terms: Terms) -> tuple[str, ...]:
    """Ids of the variants that an owner may name: those that can serve, however slowly."""
    weighed = [weigh(each, terms) for each in candidates]
    fallback = _fallback(candidates)
    return tuple(each.id for each in weighed if each.dropped is None or each.id == fallback)


def _pick(usable: Sequence[Weighed]) -> tuple[Weighed | None, Status]:
    if not usable:
        return None, "none"
    meeting = [each for each in usable if each.meets]
    if not meeting:
        return max(usable, key=_swiftness), "degraded"
    return _finest(meeting, meeting[0].family), "ok"


def _finest(weighed: Sequence[Weighed], family: str) -> Weighed:
    """The best of a family; of equals the fastest, then the first."""
    return max(
        (each for each in weighed if each.family == family), key=lambda each: (each.rank, each.tps)
    )


def _swiftness(one: Weighed) -> tuple[bool, float]:
    """For a maximum: what is known to be fast, then what has the fewest bytes to read a token."""
    family, size = one.candidate.family, one.candidate.variant.bytes or 0
    share = family.active / family.parameters if family.active and family.parameters else 1.0
    return (False, -size * share) if one.speed is None else (True, one.tps)


def _fallback(candidates: Sequence[Candidate]) -> str | None:
    here = (each for each in candidates if each.family.fallback and each.on_disk)
    return next((each.variant.id for each in here if each.quarantined is None), None)


def _ladder(chosen: Weighed, usable: Sequence[Weighed]) -> tuple[str, ...]:
    """Ever faster ones: of its family from the best down, then the best of each other."""
    faster = [each for each in usable if chosen.speed is not None and each.tps > chosen.tps]
    own = [each for each in faster if each.family == chosen.family]
    steps = sorted(own, key=lambda each: each.rank, reverse=True)
    for family in dict.fromkeys(each.family for each in faster):
        if family != chosen.family:
            steps.append(_finest(faster, family))
    kept: list[Weighed] = []
    for each in steps:
        if each.tps > (kept[-1] if kept else chosen).tps:
            kept.append(each)
    return tuple(each.id for each in kept)


def _verdict(one: Weighed, chosen: Weighed | None, target: float) -> Verdict:
    # whoever is dropped has a reason already; with anyone left, someone was chosen
    rule, reason = one.dropped or compare(one, chosen or one, target)
    return Verdict(
        candidate=one.candidate,
        speeds=one.speeds,
        speed=one.speed,
        inferred=one.candidate.variant.quality is None,
        rule=rule,
        reason=reason,
    )
