from __future__ import annotations

import errno

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.models import fetching
from edged.models.fetching import (
    LONGEST_RETRY_AFTER_S,
    LONGEST_WAIT_S,
    MAX_BYTES,
    RESERVE_BYTES,
    Code,
    Expected,
    Facts,
    FetchError,
    continues,
    disk_code,
    expect,
    lacking,
    reserve,
    resume_from,
    retry_in,
)
from edged.models.records import PartRecord
from edged.models.variants import Variant

A, B = "a" * 64, "b" * 64
CODES: tuple[Code, ...] = Code.__args__  # type: ignore[attr-defined]
VARIANT = Variant(id="v", family="f", file="v.gguf")
FACTS = Facts(bytes=100, sha256=A, etag=A, host="hub")
RECORD = PartRecord(variant="v", bytes=100, synced=30, boot="b1", etag="e")


def replaced(**fields: object) -> Variant:
    return msgspec.structs.replace(VARIANT, **fields)


@pytest.mark.parametrize(
    ("variant", "pinned", "facts", "expected"),
    [
        (VARIANT, None, FACTS, (A, "hub")),
        (VARIANT, None, Facts(bytes=100, host="hub"), (None, None)),
        (VARIANT, A, FACTS, (A, "pinned")),
        (VARIANT, B, Facts(bytes=100), (B, "pinned")),
        (replaced(sha256=A), B, FACTS, (A, "catalogue")),
        (replaced(bytes=100, bytes_are="exact"), None, FACTS, (A, "hub")),
        (replaced(bytes=99, bytes_are="rounded"), None, FACTS, (A, "hub")),
    ],
)
def test_what_is_expected(
    variant: Variant, pinned: str | None, facts: Facts, expected: tuple[str | None, str | None]
) -> None:
    sha256, source = expected
    assert expect(variant, pinned, facts) == Expected(bytes=100, sha256=sha256, source=source)


@pytest.mark.parametrize(
    ("variant", "pinned", "facts", "code"),
    [
        (replaced(bytes=99, bytes_are="exact"), None, FACTS, "bad_size"),
        (VARIANT, None, Facts(bytes=0), "bad_size"),
        (VARIANT, None, Facts(bytes=MAX_BYTES + 1), "bad_size"),
        (VARIANT, B, FACTS, "changed"),
        (replaced(sha256=B), A, FACTS, "changed"),
    ],
)
def test_a_contradiction_ends_it_before_the_first_byte(
    variant: Variant, pinned: str | None, facts: Facts, code: str
) -> None:
    with pytest.raises(FetchError) as caught:
        expect(variant, pinned, facts)
    assert caught.value.code == code
    assert "v.gguf" in caught.value.reason


def test_after_a_power_cut_only_synced_bytes_are_trusted() -> None:
    assert resume_from(None, 80, "b1") == 0
    assert resume_from(RECORD, 80, "b1") == 80
    assert resume_from(RECORD, 120, "b1") == 100
    assert resume_from(RECORD, 80, "b2") == 30
    assert resume_from(RECORD, 20, "b2") == 20
    unknown = msgspec.structs.replace(RECORD, boot=None)
    assert resume_from(unknown, 80, None) == resume_from(RECORD, 80, None) == 30


@pytest.mark.parametrize(
    ("record", "facts", "same"),
    [
        ({"sha256": A}, FACTS, True),
        ({"sha256": B}, FACTS, False),
        ({"sha256": A}, Facts(bytes=101, sha256=A), False),
        ({"sha256": A, "etag": "e"}, Facts(bytes=100, etag="e"), True),
        ({"etag": "e"}, Facts(bytes=100, etag="f"), False),
        ({"etag": None}, Facts(bytes=100), False),
    ],
)
def test_a_part_continues_only_what_has_its_name(
    record: dict[str, str], facts: Facts, *, same: bool
) -> None:
    assert continues(msgspec.structs.replace(RECORD, **record), facts) is same


@given(st.integers(0, 1 << 45))
def test_the_reserve_is_a_tenth_of_a_small_disk(disk: int) -> None:
    kept = reserve(disk)
    assert kept <= RESERVE_BYTES
    assert kept * 10 <= disk
    assert kept == RESERVE_BYTES or (kept + 1) * 10 > disk


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_what_lacks_is_what_must_become_free(free: int, needed: int, kept: int) -> None:
    lack = lacking(free, needed, kept)
    assert lack >= 0
    assert free + lack - needed >= kept
    assert lack == 0 or free + lack - needed == kept


def test_the_disk_says_what_is_wrong() -> None:
    assert disk_code(errno.ENOSPC) == disk_code(errno.EDQUOT) == "no_space"
    assert disk_code(errno.EROFS) == disk_code(errno.EACCES) == "read_only"
    assert disk_code(errno.EAGAIN) == "in_use"
    assert disk_code(errno.EIO) == disk_code(None) == "disk"


@given(
    st.sampled_from(CODES),
    st.integers(1, 10_000),
    st.none() | st.floats(0, 1e9),
    st.floats(0, 1, exclude_max=True),
)
def test_a_wait_is_bounded_and_obeys_the_server(
    code: Code, failures: int, retry_after: float | None, jitter: float
) -> None:
    wait = retry_in(code, failures, retry_after, jitter)
    if wait is None:
        return
    assert wait >= min(retry_after or 0, LONGEST_RETRY_AFTER_S)
    assert 0 < wait <= max(LONGEST_WAIT_S * 1.25, LONGEST_RETRY_AFTER_S)
    longer = retry_in(code, failures + 1, retry_after, jitter)
    assert longer is None or longer >= wait


def test_what_would_be_answered_alike_is_not_asked_again() -> None:
    final = {code for code in CODES if retry_in(code, 1, None, 0) is None}
    assert final == {
        "refused",
        "missing",
        "unsafe",
        "changed",
        "bad_size",
        "bad_file",
        "no_source",
        "quiet",
        "internal",
    }
    assert retry_in("bad_hash", 1, None, 0.5) == 60
    assert retry_in("bad_hash", 2, None, 0.5) is None
    assert retry_in("cut", 3, None, 0.5, most=3) is None
    assert retry_in("cut", 2, None, 0.5, most=3) == 4


def test_a_mirror_helps_against_a_fault_of_the_source_alone() -> None:
    helped = {code for code in CODES if fetching.other_source_may_help(code)}
    assert {"unreachable", "missing", "refused"} <= helped
    assert not helped & {"no_space", "read_only", "disk", "cut", "quiet", "bad_hash"}
