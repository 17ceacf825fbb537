"""A choice as the daemon tells it: the topic `selection`, a sentence, the steps down from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.daemon.outlook import Rung

if TYPE_CHECKING:
    from edged.daemon.outlook import Wish
    from edged.models.candidates import Choice, Verdict

GB = 10**9


def ladder(choice: Choice) -> tuple[Rung, ...]:
    """What serves and what is on this disk to step down to, ever faster."""
    rungs: list[Rung] = []
    for name in (choice.serves, *choice.ladder):
        verdict = choice.verdict(name)
        if name is None or verdict is None or verdict.speed is None:
            continue
        faster = not rungs or verdict.speed.tps > rungs[-1].tps
        # The pocket model holds any target, and is no help to anyone who had a better one.
        useful = not rungs or not verdict.candidate.family.fallback
        if verdict.candidate.on_disk and faster and useful:
            rungs.append(Rung(name, verdict.speed.tps))
    return tuple(rungs)


def told(choice: Choice, wish: Wish) -> dict[str, object]:
    """The retained topic `selection`: what serves, what would be best, and why not the others.

    Args:
        choice: What came of a look.
        wish: Of the owner.
    """
    return {
        "status": choice.status,
        "pinned": wish.pinned,
        "target_tps": wish.target_tps,
        "context": choice.context,
        "chosen": choice.chosen,
        "serves": choice.serves,
        "sentence": sentence(choice),
        "have_bytes": choice.budget.have,
        "limit": choice.budget.limit,
        "candidates": [_told(verdict) for verdict in choice.verdicts],
    }


def sentence(choice: Choice) -> str:
    """The choice in words."""
    verdict = choice.verdict(choice.chosen)
    if verdict is not None:
        cache = verdict.candidate.cache.why
        return "; ".join(part for part in (f"{choice.chosen}: {verdict.reason}", cache) if part)
    have = f"{choice.budget.have / GB:.2f} GB may be used"
    needs = [each.candidate.need.total for each in choice.verdicts if each.candidate.need]
    least = f", the least need is {min(needs) / GB:.2f} GB" if needs else ""
    return f"no variant can be chosen: {have}{least}"


def _told(verdict: Verdict) -> dict[str, object]:
    candidate = verdict.candidate
    variant, quality = candidate.variant, candidate.variant.quality
    return {
        "id": variant.id,
        "family": candidate.family.id,
        "on_disk": candidate.on_disk,
        "rule": verdict.rule,
        "reason": verdict.reason,
        "need_bytes": None if candidate.need is None else candidate.need.total,
        "need_from": candidate.need_from,
        "kv_type": candidate.cache.kind,
        "kv": candidate.cache.why,
        "speeds": [
            {"tps": round(speed.tps, 2), "source": speed.source, "said": speed.said}
            for speed in verdict.speeds
        ],
        "quality": None if quality is None else quality.percent,
        "quality_source": None if quality is None else quality.source,
        "bpw": variant.bpw,
    }
