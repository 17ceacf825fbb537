from __future__ import annotations

from typing import Any

from edged.models import headerfacts
from edged.models.gguf import Header, read
from edged.models.variants import Family, Variant
from tests.models.rawgguf import build

# type numbers of ggml, and bytes of a row of 256
Q8_0, Q3_K, IQ3_S, F32 = (8, 272), (11, 110), (21, 110), (0, 1024)


def header(*rows: tuple[tuple[int, int], int]) -> tuple[Header, int]:
    """A file with a tensor for each (type, rows of 256 weights)."""
    tensors: list[Any] = []
    end = 0
    for index, ((kind, size), count) in enumerate(rows):
        tensors.append((f"blk.{index}.w", (256, count), kind, end))
        end += -(-size * count // 32) * 32
    data = build(tensors=tensors, data=end)
    found = read(data, len(data))
    assert isinstance(found, Header), found
    return found, len(data)


def test_the_kind_is_that_of_most_quantised_bytes() -> None:
    assert headerfacts.kind_of(header((Q3_K, 9), (IQ3_S, 8), (F32, 99))[0]) == "KQ"
    assert headerfacts.kind_of(header((Q3_K, 8), (IQ3_S, 9))[0]) == "IQ"
    assert headerfacts.kind_of(header((F32, 3))[0]) == "other"


def test_a_header_refines_a_variant() -> None:
    found, size = header((Q3_K, 8))
    listed = Variant(id="a", family="f", file="a.gguf", repo="m/a", bytes=9, kind="IQ", bpw=3.5)
    refined = headerfacts.refined(listed, found, size)
    assert (refined.bytes, refined.bytes_are, refined.kind) == (size, "exact", "KQ")
    assert refined.bpw == 3.438  # 110 bytes for 256 weights
    assert (refined.repo, refined.id) == ("m/a", "a")


def test_a_file_nobody_names_is_a_family_of_its_own() -> None:
    found, size = header((Q8_0, 4))
    family = headerfacts.own_family("mine.gguf", "/m/mine.gguf", found, size)
    assert (family.id, family.name, family.architecture) == ("mine", "tiny", "llama")
    assert (family.parameters, family.context) == (1024, 512)
    (variant,) = family.variants
    assert (variant.id, variant.family, variant.path) == ("mine", "mine", "/m/mine.gguf")
    assert (variant.kind, variant.bpw, variant.quality) == ("KQ", 8.5, None)


def test_own_families_come_before_fallbacks_and_hide_none() -> None:
    listed = [Family(id="p", name="p", fallback=True), Family(id="a", name="a")]
    own = [Family(id="b", name="b"), Family(id="a", name="other")]
    merged = headerfacts.with_own_families(listed, own)
    assert [(family.id, family.name) for family in merged] == [("a", "a"), ("b", "b"), ("p", "p")]
