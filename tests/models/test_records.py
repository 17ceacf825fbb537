from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.models.records import (
    MAX_REASON,
    PartRecord,
    Quarantined,
    Record,
    decode,
    encode,
    one_line,
    safe_name,
)
from edged.models.variants import Variant

A, B = "a" * 64, "b" * 64
PART = PartRecord(variant="v", bytes=10, synced=5, sha256=A)
WHOLE = Record(variant="v", bytes=10, sha256=A, digest=B, stamp=(1, 2, 3, 4))
BAD = Quarantined(variant="v", file="v.gguf", code="bad_hash", reason="r", sha256=A)


def test_there_and_back() -> None:
    assert decode(encode(PART), PartRecord) == PART
    assert decode(encode(WHOLE), Record) == WHOLE
    assert decode(encode(BAD), Quarantined) == BAD


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"\xff",
        b"[" * 100_000,
        encode(PART)[:-4],
        encode(PART).replace(b'"bytes": 10', b'"bytes": -1'),
        encode(PART).replace(b'"bytes": 10', b'"bytes": 1e400'),
        encode(PART).replace(A.encode(), b"../../etc"),
    ],
)
def test_what_is_not_ours_is_none(data: bytes) -> None:
    assert decode(data, PartRecord) is None


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes) -> None:
    decode(data, PartRecord)
    decode(data, Record)
    decode(data, Quarantined)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.gguf", "a.gguf"),
        ("UD/Qwen3-30B_x.y+z-2.70bpw.gguf", "Qwen3-30B_x.y+z-2.70bpw.gguf"),
        ("../a.gguf", "a.gguf"),
        ("a.bin", None),
        (".gguf", None),
        (".a.gguf", None),
        ("a/.gguf", None),
        ("a b.gguf", None),
        ("a\n.gguf", None),
        ("a\0.gguf", None),
        ("-a.gguf", None),
        ("ä.gguf", None),
        ("a" * 201 + ".gguf", None),
    ],
)
def test_names_that_may_lie_in_a_folder(file: str, name: str | None) -> None:
    assert safe_name(file) == name


@given(st.text(max_size=60))
def test_no_name_leads_out_of_the_folder(file: str) -> None:
    name = safe_name(file + ".gguf")
    assert name is None or ("/" not in name and not name.startswith("."))


def test_another_sha256_in_the_catalogue_is_another_file() -> None:
    variant = Variant(id="v", family="f", file="v.gguf")
    assert BAD.concerns(variant)
    assert not BAD.concerns(Variant(id="w", family="f", file="w.gguf"))
    assert BAD.concerns(Variant(id="v", family="f", file="v.gguf", sha256=A))
    assert not BAD.concerns(Variant(id="v", family="f", file="v.gguf", sha256=B))
    unknown = Quarantined(variant="v", file="v.gguf", code="died", reason="r")
    assert unknown.concerns(Variant(id="v", family="f", file="v.gguf", sha256=B))


def test_a_reason_is_one_printable_line() -> None:
    assert one_line("a\nb\x1b[31m\u2028") == "a?b?[31m?"
    assert len(one_line("x" * 5000)) == MAX_REASON
