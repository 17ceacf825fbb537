"""A choice as data and in words: for the topic, the journal and the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import asdict

from edged.models.reasons import gib, leaves, rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.models.candidates import Choice, Verdict
    from edged.models.speeds import Speed

UNKNOWN = "-"
MAX_REASON = 300  # characters; a quarantined file's reason may quote a long path
_SHORT = 3  # characters that are left of a name at least


class Row(NamedTuple):
    """One candidate as people read it.

    Attributes:
        family: Its id.
        name: The variant's, without what its whole family is called.
        here: Whether the file is on this disk.
        need: GiB of memory.
        speed: tok/s and where that comes from.
        quality: Percent, or that it is inferred.
        rule: What kept or dropped it.
        reason: The same in words.
    """

    family: str
    name: str
    here: bool
    need: str
    speed: str
    quality: str
    rule: str
    reason: str


def rows(choice: Choice) -> list[Row]:
    """Every candidate, in the order of the catalogue."""
    names: dict[str, list[str]] = {}
    for verdict in choice.verdicts:
        names.setdefault(verdict.candidate.family.id, []).append(verdict.candidate.variant.id)
    return [_row(each, _prefix(names[each.candidate.family.id])) for each in choice.verdicts]


def sentences(choice: Choice) -> list[str]:
    """What was chosen and why, what serves meanwhile, and how far the promise goes."""
    told = [headline(choice)]
    verdict = choice.verdict(choice.chosen)
    if verdict is not None:
        told += _depths(verdict.speed, choice)
        cache = verdict.candidate.cache.why
        told += [f"{cache}."] if cache else []
    if choice.serves != choice.chosen:
        told.append(
            "No file that could serve is on this disk."
            if choice.serves is None
            else f"{choice.serves} serves until it is here."
            if choice.chosen is not None
            else f"{choice.serves} serves."
        )
    return told


def selection(choice: Choice) -> dict[str, Any]:
    """The choice as JSON may hold it: bytes, tok/s, percent and seconds, null where unknown."""
    return {
        "status": choice.status,
        "chosen": choice.chosen,
        "serves": choice.serves,
        "sentence": headline(choice),
        "text": sentences(choice),
        "target_tps": choice.target,
        "context": choice.context,
        "have_bytes": choice.budget.have,
        "limit": choice.budget.limit,
        "reserve_bytes": choice.budget.reserve,
        "ladder": list(choice.ladder),
        "candidates": [_candidate(verdict) for verdict in choice.verdicts],
    }


def headline(choice: Choice) -> str:
    """What was chosen and why, in one sentence."""
    verdict = choice.verdict(choice.chosen)
    if verdict is None:
        return f"No variant can serve: {_least(choice.verdicts, choice)}"
    quality = verdict.candidate.variant.quality
    kept = "" if quality is None else f", {quality.percent:g} % of the unquantised model"
    need = verdict.candidate.need
    room = "" if need is None else f"; it needs {gib(need.total)}, and {leaves(choice.budget)}"
    degraded = " (degraded)" if choice.status == "degraded" else ""
    return f"{choice.chosen}{degraded}{kept}: {verdict.reason}{room}."


def _least(verdicts: Sequence[Verdict], choice: Choice) -> str:
    """What came nearest to fitting."""
    needs = [
        (each.candidate.need.total, each.candidate.variant.id)
        for each in verdicts
        if each.rule == "memory" and each.candidate.need is not None
    ]
    if not needs:
        return "none is of a kind, a size and a state that could."
    least, name = min(needs)
    return f"the smallest, {name}, needs {gib(least)}, and {leaves(choice.budget)}."


def _depths(speed: Speed | None, choice: Choice) -> list[str]:
    """8 tok/s at an empty context is less behind a long one."""
    deep = None if speed is None else speed.at(choice.context)
    if speed is None or deep is None:
        return []
    there = f"behind {choice.context} tokens of context it is {deep:.1f} tok/s"
    depth = speed.depth_of(choice.target)
    if depth is None or depth >= choice.context:
        return [f"That holds at an empty context; {there}."]
    if depth == 0:
        return [f"That is at an empty context; {there}."]
    return [f"It falls under {choice.target:g} tok/s behind {depth} tokens of context; {there}."]


def _row(verdict: Verdict, prefix: str) -> Row:
    candidate = verdict.candidate
    need, quality = candidate.need, candidate.variant.quality
    return Row(
        family=candidate.family.id,
        name=candidate.variant.id.removeprefix(prefix),
        here=candidate.on_disk,
        need=UNKNOWN if need is None else gib(need.total),
        speed=UNKNOWN if verdict.speed is None else rate(verdict.speed),
        quality="inferred" if quality is None else f"{quality.percent:g} %",
        rule=verdict.rule,
        reason=verdict.reason[:MAX_REASON],
    )


def _prefix(names: Sequence[str]) -> str:
    """What the names of a family begin with alike, up to a dash."""
    first, last = min(names), max(names)
    same = 0
    while same < min(len(first), len(last)) - _SHORT and first[same] == last[same]:
        same += 1
    return first[: first.rfind("-", 0, same) + 1] if len(names) > 1 else ""


def _candidate(verdict: Verdict) -> dict[str, Any]:
    candidate = verdict.candidate
    variant, need, quality = candidate.variant, candidate.need, candidate.variant.quality
    return {
        "id": variant.id,
        "family": variant.family,
        "kind": variant.kind,
        "bpw": variant.bpw,
        "bytes": variant.bytes,
        "bytes_are": variant.bytes_are,
        "on_disk": candidate.on_disk,
        "need_bytes": None if need is None else need.total,
        "need_from": candidate.need_from,
        "kv_type": candidate.cache.kind,
        "kv": candidate.cache.why,
        "quality": None if quality is None else quality.percent,
        "quality_source": None if quality is None else quality.source,
        "inferred": verdict.inferred,
        "tps": None if verdict.speed is None else verdict.speed.tps,
        "speeds": [asdict(speed) for speed in verdict.speeds],
        "rule": verdict.rule,
        "reason": verdict.reason[:MAX_REASON],
    }
