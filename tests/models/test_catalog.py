from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.models import catalog
from edged.models.catalogtext import CatalogueText
from edged.models.variants import Catalogue, Published, Quality

PACKAGED = Path(catalog.__file__).parents[1] / "data" / "catalog.yaml"
FILE = "must be the name of a .gguf file, without folders"
KEYS = (
    "file, repo, revision, url, path, packaged, bytes, gib, gb, sha256, bpw, kind, quality, "
    "published"
)
SMALL = """
families:
  - id: a
    repo: maker/a
    parameters: 8000
    active: 1000
    variants:
      - {file: a-1.gguf, bpw: 2.0, kind: KQ}
      - {file: a-2.gguf, gb: 1.5}
  - id: b
    variants:
      - file: b.gguf
        url: https://example.com/b.gguf
        bytes: 77
        gib: 3.0
        quality: {percent: 94.18, source: maker, suite: five}
        published:
          - {board: pi5-16gb, engine: llama.cpp, tps: 8.03, source: maker}
"""


def text(yaml: str, source: str = "c.yaml") -> CatalogueText:
    found = catalog.parse(yaml.encode(), source)
    assert isinstance(found, CatalogueText), found
    return found


def merged(*files: str) -> Catalogue:
    found = catalog.merge([(f"{n}.yaml", text(each)) for n, each in enumerate(files)], "/data")
    assert isinstance(found, Catalogue), found
    return found


def faults(yaml: str) -> list[str]:
    found = catalog.parse(yaml.encode(), "c.yaml")
    assert isinstance(found, list), found
    return [str(problem) for problem in found]


def test_what_is_written_becomes_families() -> None:
    a, b = merged(SMALL).families
    assert (a.id, a.name, a.active, a.fallback) == ("a", "a", 1000, False)
    assert [(v.id, v.family, v.repo, v.kind) for v in a.variants] == [
        ("a-1", "a", "maker/a", "KQ"),
        ("a-2", "a", "maker/a", "other"),
    ]
    assert b.variants[0].quality == Quality(percent=94.18, source="maker", suite="five")
    assert b.variants[0].published == (
        Published(board="pi5-16gb", engine="llama.cpp", tps=8.03, source="maker"),
    )


def test_the_most_exact_size_counts() -> None:
    a, b = merged(SMALL).families
    assert [(v.bytes, v.bytes_are) for v in (*a.variants, *b.variants)] == [
        (2000, "rounded"),  # 2 bits of each of 8000 weights
        (1_500_000_000, "rounded"),
        (77, "exact"),
    ]
    of_gib = merged("families: [{id: x, repo: m/x, variants: [{file: x.gguf, gib: 2, gb: 9}]}]")
    assert of_gib.families[0].variants[0].bytes == 2 << 30
    none = merged("families: [{id: x, repo: m/x, variants: [{file: x.gguf, bpw: 3}]}]")
    assert none.families[0].variants[0].bytes is None
    assert none.families[0].variants[0].bytes_are == "unknown"


def test_a_later_file_changes_key_by_key_and_adds() -> None:
    own = """
order: [c, b, nobody]
families:
  - id: a
    name: Mine
    variants:
      - {file: a-2.gguf, kind: IQ, revision: v2}
      - {file: a-3.gguf, bpw: 4}
  - {id: c, repo: me/c, revision: old, variants: [{file: c.gguf, repo: you/c}, {file: d.gguf}]}
"""
    catalogue = merged(SMALL, own)
    assert [family.id for family in catalogue.families] == ["c", "b", "a"]
    c, _, a = catalogue.families
    assert (a.name, a.parameters) == ("Mine", 8000)
    assert [(v.file, v.kind, v.revision) for v in a.variants] == [
        ("a-1.gguf", "KQ", "main"),
        ("a-2.gguf", "IQ", "v2"),
        ("a-3.gguf", "other", "main"),
    ]
    assert a.variants[1].bytes == 1_500_000_000
    # a family's revision is not that of another repo
    assert [(v.repo, v.revision) for v in c.variants] == [("you/c", "main"), ("me/c", "old")]


def test_the_last_order_comes_first() -> None:
    assert [f.id for f in merged(SMALL, "order: [b]", "order: [a]").families] == ["a", "b"]
    assert [f.id for f in merged(SMALL).ordered(["b", "b"]).families] == ["b", "a"]
    assert merged(SMALL, "", "families: []") == merged(SMALL)
    assert merged(SMALL).variant("a-2") == merged(SMALL).variant("a-2.gguf")
    assert merged(SMALL).variant("a-9") is None


def test_packaged_files_lie_beside_the_catalogue() -> None:
    pocket = merged(
        "families: [{id: p, fallback: true, variants: [{file: p.gguf, packaged: yes}]}]".replace(
            "yes", "true"
        )
    ).families[0]
    assert (pocket.fallback, pocket.variants[0].path) == (True, "/data/p.gguf")


def test_a_file_that_cannot_be_had_is_told() -> None:
    parts = [("0.yaml", text("families: [{id: x, variants: [{file: x.gguf}]}]"))]
    found = catalog.merge(parts)
    assert isinstance(found, list)
    assert [str(each) for each in found] == [
        "0.yaml: family x, variant x.gguf: has no repo, url or path, so it cannot be had"
    ]


def test_each_mistake_names_file_line_family_variant_and_key() -> None:
    assert faults("""
families:
  - id: a
    parameters: 5
    active: 9
    variants:
      - {file: a.gguf, bpw: heavy}
      - {file: b.gguf, quality: {percent: 102}}
      - {file: c.gguf, kind: QK}
      - {file: ../d.gguf}
      - {file: a.gguf, sha256: beef}
      - {bpw: 2, size: 5}
      - {file: e.gguf, published: [{board: pi5-16gb, engine: llama.cpp, tps: 0}]}
      - {file: f.gguf, quality: {percent: 90}, published: [{tps: 8}]}
  - {id: a}
  - {name: nameless}
""") == [
        "c.yaml:5: family a, active: is 9, above the 5 parameters",
        "c.yaml:7: family a, variant a.gguf, bpw: must be a number, got str; it is 'heavy'",
        "c.yaml:8: family a, variant b.gguf, quality.percent: must be a number <= 101.0; it is 102",
        "c.yaml:8: family a, variant b.gguf, quality.source: is missing",
        "c.yaml:9: family a, variant c.gguf, kind: Invalid enum value 'QK'; it is 'QK'",
        f"c.yaml:10: family a, variant ../d.gguf, file: {FILE}; it is '../d.gguf'",
        "c.yaml:11: family a, variant a.gguf, sha256: must be 64 hex digits; it is 'beef'",
        "c.yaml:11: family a, variant a.gguf, file: stands here again: a.gguf",
        f"c.yaml:12: family a, variant 6, size: unknown key; known are {KEYS}",
        "c.yaml:12: family a, variant 6, file: is missing",
        "c.yaml:13: family a, variant e.gguf, published[0].tps: must be a number > 0.0; it is 0",
        "c.yaml:13: family a, variant e.gguf, published[0].source: is missing",
        "c.yaml:14: family a, variant f.gguf, quality.source: is missing",
        "c.yaml:14: family a, variant f.gguf, published[0].board: is missing",
        "c.yaml:14: family a, variant f.gguf, published[0].engine: is missing",
        "c.yaml:14: family a, variant f.gguf, published[0].source: is missing",
        "c.yaml:15: family a, id: stands here again: a",
        "c.yaml:16: family 3, id: is missing",
    ]


@pytest.mark.parametrize(
    ("yaml", "told"),
    [
        ("families: 3", "c.yaml:1: families: must be a list of sections"),
        ("famlies: []", "c.yaml:1: famlies: unknown key; did you mean families?"),
        ("a: &b", "c.yaml:1: anchors and aliases (& and *) are not allowed"),
        ("families: [{id: x y}]", "c.yaml:1: family x y, id: must be 1 to 128 of the characters"),
        ("families: [7]", "c.yaml:1: family 1: must be a section of keys and values"),
        ("families: [{id: 7}]", "c.yaml:1: family 1, id: must be text"),
        ("families: [{id: a, variants: 3}]", "c.yaml:1: family a, variants: must be a list"),
        ("families: [{id: a, variants: [3]}]", "c.yaml:1: family a, variant 1: must be a section"),
        (
            "families: [{id: a, variants: [{file: a.gguf, url: 'file:///etc/shadow'}]}]",
            "c.yaml:1: family a, variant a.gguf, url: must be an http or https address",
        ),
        (
            "families: [{id: a, variants: [{file: a.gguf, url: 'https://me:pw@host/a'}]}]",
            "c.yaml:1: family a, variant a.gguf, url: must be an http or https address",
        ),
    ],
)
def test_more_mistakes(yaml: str, told: str) -> None:
    assert any(line.startswith(told) for line in faults(yaml)), faults(yaml)


def test_lists_are_bounded() -> None:
    many = "families:\n" + "".join(f"  - {{id: f{n}}}\n" for n in range(65))
    assert faults(many) == ["c.yaml:2: families: has 65 items, and at most 64 are taken"]


@given(st.text(alphabet="families:[]{}id- \nvariants.gguf0123", max_size=200))
def test_no_text_raises(junk: str) -> None:
    found = catalog.parse(junk.encode(), "c.yaml")
    assert isinstance(found, list | CatalogueText)
    if isinstance(found, CatalogueText):
        assert isinstance(catalog.merge([("c.yaml", found)]), list | Catalogue)


def test_the_packaged_catalogue() -> None:
    catalogue = merged(PACKAGED.read_text())
    names = [family.id for family in catalogue.families]
    assert names[0] == "qwen3-30b-a3b-instruct-2507"
    assert names[-1] == "pocket"
    assert [family.id for family in catalogue.families if family.fallback] == ["pocket"]
    chosen = catalogue.variant("Qwen3-30B-A3B-Instruct-2507-Q3_K_S-2.70bpw")
    assert chosen is not None
    assert chosen.quality is not None
    assert (chosen.quality.percent, chosen.published[0].tps) == (94.18, 8.03)
    for family in catalogue.families[:-1]:
        for variant in family.variants:
            assert variant.bytes is not None, variant.id
            assert variant.kind in {"KQ", "IQ"}, variant.id
            # a mistyped digit of size, bits or parameters shows here
            assert family.parameters is not None
            assert variant.bpw is not None
            derived = variant.bpw * family.parameters / 8
            assert abs(variant.bytes / derived - 1) < 0.025, variant.id


def test_sizes_from_bits_per_weight_are_right_where_bytes_are_published() -> None:
    family = merged(PACKAGED.read_text()).families[0]
    exact = {v.bpw: v.bytes for v in family.variants if v.bytes_are == "exact"}
    assert family.parameters is not None
    assert exact == {3.25: 12_424_439_872}
    assert abs(3.25 * family.parameters / 8 / 12_424_439_872 - 1) < 0.002
