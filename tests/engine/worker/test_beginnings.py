"""Tokens by their first byte, of vocabularies that lack some bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from edged.engine.worker.beginnings import Beginnings
from edged.engine.worker.sampling import NO_TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.engine.worker.candidates import Candidates
    from edged.engine.worker.model import Model

PIECES = [b"a", b"ab", b"b", b"bc", b"xy", b"", b"\n", b"\xc3", b"\xc3\xa4"]
END = 5


class Vocabulary:
    n_vocab = len(PIECES)
    ends = (END,)

    def piece(self, token: int) -> bytes:
        return PIECES[token]


class Asked:
    """A grammar that takes some tokens, and what it was asked about."""

    def __init__(self, *takes: bytes) -> None:
        self.takes = takes
        self.asked: list[bytes] = []

    def which(self, _grammar: Any, tokens: Sequence[int]) -> list[bool]:
        self.asked += [PIECES[token] for token in tokens]
        return [PIECES[token] in self.takes for token in tokens]


def possible(asked: Asked, *, ascii_only: bool = True) -> set[bytes]:
    beginnings = Beginnings(cast("Model", Vocabulary()))
    found = beginnings.possible(cast("Candidates", asked), None, ascii_only=ascii_only)
    assert END in found
    return {PIECES[token] for token in found if token != END}


def test_a_byte_that_is_taken_brings_all_that_begin_with_it() -> None:
    asked = Asked(b"a")
    assert possible(asked) == {b"a", b"ab", b"xy"}, "nobody knows about x"
    assert asked.asked == [b"a", b"b"]


def test_where_nothing_else_may_follow_other_bytes_are_asked_for() -> None:
    assert possible(Asked(b"\xc3")) == {b"\xc3", b"\xc3\xa4", b"xy"}


def test_words_that_are_not_ascii_are_always_asked_for() -> None:
    asked = Asked(b"a", b"\xc3")
    assert possible(asked) == {b"a", b"ab", b"xy"}
    assert possible(asked, ascii_only=False) == {b"a", b"ab", b"xy", b"\xc3", b"\xc3\xa4"}


def only(*takes: bytes) -> tuple[int, int]:
    beginnings = Beginnings(cast("Model", Vocabulary()))
    return beginnings.only(cast("Candidates", Asked(*takes)), None)


def test_a_byte_that_comes_in_any_case_is_told_with_its_token() -> None:
    assert only(b"b") == (PIECES.index(b"b"), ord("b"))
    assert only(b"\xc3") == (PIECES.index(b"\xc3"), 0xC3)


def test_nothing_comes_in_any_case_where_two_may_follow_or_the_end() -> None:
    assert only(b"a", b"b")[0] == NO_TOKEN
    assert only(b"a", b"")[0] == NO_TOKEN, "the end has no bytes"
    assert only(b"")[0] == NO_TOKEN
    assert only()[0] == NO_TOKEN


def test_a_vocabulary_without_each_byte_says_so() -> None:
    assert not Beginnings(cast("Model", Vocabulary())).complete, "nobody knows about x"
