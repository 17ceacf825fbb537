"""Whose header is worth a few requests: files that are not here, of unknown speed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from edged.models.candidates import Choice, Verdict
    from edged.models.variants import Variant

# Who says it of this very file; what is derived from another file is less than a header tells.
_SAID = frozenset({"measured", "predicted", "published"})
_HOPELESS = frozenset({"disk", "kind", "quarantined", "fallback"})


def unread(choice: Choice, known: Container[str]) -> tuple[Variant, ...]:
    """Variants whose headers might change a choice, those first that would be preferred.

    Args:
        choice: What came of what is known now.
        known: Ids of variants whose headers are known.
    """
    return tuple(
        verdict.candidate.variant
        for verdict in _that_matter(choice)
        if verdict.candidate.variant.id not in known and _is_worth_it(verdict)
    )


def _that_matter(choice: Choice) -> Iterator[Verdict]:
    """Those up to the chosen family; behind it only if that does not meet the target."""
    chosen = choice.verdict(choice.chosen)
    last = chosen.candidate.family.id if chosen is not None and choice.status == "ok" else None
    reached = False
    for verdict in choice.verdicts:
        own = verdict.candidate.family.id == last
        if reached and not own:
            return
        reached = own
        yield verdict


def _is_worth_it(verdict: Verdict) -> bool:
    candidate = verdict.candidate
    if candidate.on_disk or not (candidate.variant.repo or candidate.variant.url):
        return False
    # What is known to have no room is not worth it; of what nobody knows the size, it tells that.
    if verdict.rule in _HOPELESS or (verdict.rule == "memory" and candidate.need is not None):
        return False
    return not any(speed.source in _SAID for speed in verdict.speeds)
