from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edged.models.catalogtext import QualityText, VariantText
from edged.models.familytext import located, member_type

GOOD = QualityText(percent=99.5, source="held-out text")
KNOWN = VariantText(file="pocket-Q4_K.gguf", bytes=3000, sha256="a" * 64, quality=GOOD)


def test_the_name_says_the_type() -> None:
    assert member_type(KNOWN) == "Q4_K"
    assert member_type(VariantText(file="plain.gguf")) == "plain"


def test_the_same_bytes_are_as_good_as_recorded() -> None:
    found = located(KNOWN, "/models/pocket-Q4_K.gguf", 3000, "a" * 64)
    assert found.quality == GOOD
    assert (found.path, found.bytes) == ("/models/pocket-Q4_K.gguf", 3000)


def test_other_rounding_keeps_the_quality_and_says_so() -> None:
    found = located(KNOWN, "/models/x.gguf", 3000, "b" * 64)
    assert found.sha256 == "b" * 64
    assert found.quality is not None
    assert found.quality.percent == 99.5
    assert "rounded differently" in str(found.quality.source)


def test_another_size_is_another_recipe_of_unknown_quality() -> None:
    found = located(KNOWN, "/models/x.gguf", 2999, "b" * 64)
    assert found.quality is None
    assert found.bytes == 2999


def test_what_has_no_quality_gets_none() -> None:
    bare = VariantText(file="pocket-Q4_K.gguf", bytes=3000)
    assert located(bare, "/models/x.gguf", 3000, "b" * 64).quality is None


@given(st.text(min_size=1, max_size=200))
def test_a_source_is_never_longer_than_a_catalogue_takes(source: str) -> None:
    known = VariantText(file="x.gguf", bytes=1, quality=QualityText(percent=1.0, source=source))
    quality = located(known, "/x.gguf", 1, "c" * 64).quality
    assert quality is not None
    assert len(str(quality.source)) <= 200
