"""Changed headers end in a value; and what would break a promise is seen."""

from __future__ import annotations

import random

import pytest

from bench import fuzz_gguf, mutations
from bench.fuzz_gguf import POCKET, feed, header_of
from bench.mutations import CHANGES, Input, judge, mutate
from edged.models.gguf import BadHeader, Header, NeedMore, read
from tests.models.rawgguf import build

SOUND = build()
SEEDS = [Input(SOUND, len(SOUND)), Input(build(version=b"\2\0\0\0"), len(SOUND))]
COUNT = 20_000


def source(seed: int = 1) -> random.Random:
    return random.Random(seed)  # noqa: S311 - no secret


def test_twenty_thousand_changed_headers_end_in_a_value() -> None:
    found = feed([*SEEDS, *SEEDS, *SEEDS, *SEEDS, header_of(POCKET)], COUNT, source())
    assert found.broken == []
    assert found.outcomes["broken"] == 0
    assert sum(found.outcomes.values()) == COUNT
    # else the changes are too coarse to get behind the first check, or change nothing
    assert found.outcomes["header"] > COUNT // 50
    assert found.outcomes["bad"] > COUNT // 4
    assert found.outcomes["more"] > COUNT // 50
    assert 0 < found.peak_bytes < fuzz_gguf.MEMORY_BYTES


def test_many_reasons_are_met() -> None:
    """A fuzzer whose inputs all fail at the same check proves nothing about the others."""
    draw, reasons = source(2), set[str]()
    for _ in range(4000):
        found = read(*mutate(draw, SEEDS))
        if isinstance(found, BadHeader):
            reasons.add(" ".join(word for word in found.reason.split() if word.islower())[:24])
    assert len(reasons) > 40


def test_the_same_seed_changes_the_same() -> None:
    one, other = source(3), source(3)
    assert [mutate(one, SEEDS) for _ in range(50)] == [mutate(other, SEEDS) for _ in range(50)]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_change_takes_any_bytes(change: object) -> None:
    draw = source(4)
    for data in (b"", b"\0", b"GGUF", bytes(40), SOUND):
        for _ in range(20):
            changed = bytearray(data)
            change(draw, changed, [SOUND, b""])  # type: ignore[operator]
            assert len(changed) <= len(data) + max(len(SOUND), mutations.LONGEST_PIECE + 8)


def sound() -> Header:
    found = read(*SEEDS[0])
    assert isinstance(found, Header)
    return found


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        (BadHeader("two\nlines"), len(SOUND)),
        (BadHeader(""), len(SOUND)),
        (NeedMore(len(SOUND)), len(SOUND)),
        (NeedMore(len(SOUND) + 9), len(SOUND) + 8),
        (NeedMore((32 << 20) + 1), 1 << 40),
        (sound(), len(SOUND) - 1),
    ],
    ids=str,
)
def test_a_broken_promise_is_seen(
    monkeypatch: pytest.MonkeyPatch, answer: object, size: int
) -> None:
    monkeypatch.setattr(mutations, "read", lambda *_: answer)
    with pytest.raises(AssertionError):
        judge(Input(SOUND, size))


def test_what_the_reader_raises_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        message = "index out of range"
        raise IndexError(message)

    monkeypatch.setattr(mutations, "read", fail)
    found = feed(SEEDS, 30, source())
    assert found.outcomes == {"broken": 30}
    assert len(found.broken) == 10
    assert "index out of range" in found.broken[0]


def test_sound_ones_keep_their_promises() -> None:
    assert judge(SEEDS[0]) == "header"
    assert judge(Input(SOUND[:100], len(SOUND))) == "more"
    assert judge(Input(b"PK", 2)) == "bad"
