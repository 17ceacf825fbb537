from __future__ import annotations

from edged.engine.marks import MAX_COUNTED, Uses, digest


def test_each_text_is_counted_by_itself() -> None:
    uses = Uses()
    assert [uses.count("a"), uses.count("b"), uses.count("a"), uses.count("a")] == [1, 1, 2, 3]


def test_a_flood_of_texts_takes_bounded_memory_and_pushes_out_the_longest_unused() -> None:
    uses = Uses()
    uses.count("old")
    uses.count("used")
    for number in range(MAX_COUNTED - 1):
        uses.count(str(number))
        if number == 0:
            uses.count("used")
    assert len(uses) == MAX_COUNTED
    assert uses.count("used") == 3
    assert uses.count("old") == 1


def test_a_digest_is_short_and_of_any_text() -> None:
    assert len({digest(text) for text in ("", "a", "ä", "a" * 100_000)}) == 4
    assert len(digest("a")) == 32
