from __future__ import annotations

from typing import Any

import pytest

from edged.models.candidates import Candidate, Choice, Rule, Verdict
from edged.models.fit import Budget, Need
from edged.models.speeds import Source, Speed
from edged.models.unread import unread
from edged.models.variants import Family, Variant

NEED = Need(weights=1)


def verdict(name: str, rule: Rule = "unknown", **more: Any) -> Verdict:
    """A file of a hub, not here, of which nothing is known."""
    family = Family(id=more.pop("family", "one"), name="One")
    source: Source | None = more.pop("said", None)
    given = {"repo": more.pop("repo", "owner/name"), "url": more.pop("url", None)}
    variant = Variant(id=name, family=family.id, file=f"{name}.gguf", **given)
    speed = Speed(tps=1.0, low=1.0, high=1.0, source=source or "derived", said="")
    return Verdict(
        candidate=Candidate(family=family, variant=variant, **{"need": NEED, **more}),
        speeds=() if source is None else (speed,),
        rule=rule,
        reason="",
    )


def names(*verdicts: Verdict, chosen: str | None = None, status: str = "none") -> list[str]:
    choice = Choice(
        status=status,  # type: ignore[arg-type]
        target=8.0,
        context=512,
        budget=Budget(have=1, limit="memory"),
        chosen=chosen,
        serves=None,
        verdicts=verdicts,
    )
    return [variant.id for variant in unread(choice, {"known"})]


def test_what_is_on_a_hub_and_unknown_is_worth_it_in_the_order_of_the_catalogue() -> None:
    assert names(verdict("b"), verdict("known"), verdict("a", repo=None, url="http://x/a")) == [
        "b",
        "a",
    ]


@pytest.mark.parametrize("rule", ["disk", "kind", "quarantined", "fallback", "memory"])
def test_what_cannot_serve_is_not(rule: Rule) -> None:
    assert names(verdict("a", rule)) == []


def test_of_what_nobody_knows_the_size_the_header_tells_it() -> None:
    assert names(verdict("a", "memory", need=None)) == ["a"]


def test_what_is_here_or_nowhere_is_not() -> None:
    assert names(verdict("a", on_disk=True), verdict("b", repo=None)) == []


@pytest.mark.parametrize("said", ["measured", "predicted", "published"])
def test_a_speed_of_the_very_file_is_enough(said: Source) -> None:
    assert names(verdict("a", "slow", said=said)) == []


def test_a_speed_derived_from_another_file_is_not() -> None:
    assert names(verdict("a", "slow", said="derived")) == ["a"]


def test_families_behind_the_chosen_one_matter_only_if_it_misses_the_target() -> None:
    verdicts = (
        verdict("a", family="first"),
        verdict("b", "chosen", family="second", said="published"),
        verdict("c", "quality", family="second"),
        verdict("d", "order", family="third"),
    )
    assert names(*verdicts, chosen="b", status="ok") == ["a", "c"]
    assert names(*verdicts, chosen="b", status="degraded") == ["a", "c", "d"]
    assert names(*verdicts) == ["a", "c", "d"]
