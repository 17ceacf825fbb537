from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from bench.pocket import quality
from bench.pocket.scoring import Comparison
from edged.models import catalog
from edged.models.catalogtext import QualityText
from edged.models.family import FIGURES, figures

if TYPE_CHECKING:
    from pathlib import Path

DIALOGUES = 8  # about 600 tokens of assistants


@pytest.mark.process
def test_the_recorded_quality_is_what_is_measured(tmp_path: Path) -> None:
    members = quality.assess(tmp_path / "family", DIALOGUES)
    known = {variant.file: variant.quality for variant in figures().variants}
    for each in members:
        assert quality.is_as_recorded(each.found, known[each.path.name]), each
    best, worst = members[0].found, members[-1].found
    assert 99.9 < best.percent < 100
    assert worst.percent < best.percent - 1
    divergences = [each.found.divergence for each in members]
    assert divergences == sorted(divergences)
    assert [each.bpw for each in members] == sorted((each.bpw for each in members), reverse=True)


def comparison(percent: float, error: float = 0.0) -> Comparison:
    return Comparison(10, 1.2, 1.2, -math.log(percent / 100), error, 1.0)


@pytest.mark.parametrize(
    ("percent", "error", "ok"),
    [(99.5, 0, True), (99.64, 0, True), (99.7, 0, False), (97.0, 0.01, True), (93.0, 0.01, False)],
)
def test_a_quality_may_differ_by_what_few_dialogues_explain(
    percent: float, error: float, *, ok: bool
) -> None:
    known = QualityText(percent=99.5, source="held-out text")
    assert quality.is_as_recorded(comparison(percent, error), known) == ok


def test_without_a_record_nothing_is_as_recorded() -> None:
    assert not quality.is_as_recorded(comparison(100), None)


def test_what_is_written_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "pocket-Q8_0.gguf"
    member = quality.Member(path, 10, "a" * 64, 16.0, "other", comparison(99.25))
    text = catalog.parse(quality.recorded([member]).encode(), "new")
    assert not isinstance(text, list)
    (variant,) = text.families[0].variants
    assert variant.quality is not None
    assert variant.quality.percent == 99.25
    assert (variant.bytes, variant.sha256, variant.bpw) == (10, "a" * 64, 16.0)


def test_the_shipped_record_has_the_form_that_is_written() -> None:
    shipped = FIGURES.read_text().splitlines()
    assert shipped[:2] == quality.HEAD.splitlines()[:2]
