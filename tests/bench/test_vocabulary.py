"""A made-up vocabulary has every byte, every mark, and no token twice."""

from __future__ import annotations

import pytest

from bench import vocabulary


def test_every_token_is_there_once() -> None:
    words = vocabulary.make(151_936)
    assert len(words.tokens) == len(set(words.tokens)) == len(words.kinds) == 151_936


def test_marks_are_the_last_tokens_and_the_only_control_ones() -> None:
    words = vocabulary.make(512)
    assert [words.tokens[i] for i in words.specials] == list(vocabulary.SPECIALS)
    control = [i for i, kind in enumerate(words.kinds) if kind == vocabulary.CONTROL]
    assert control == list(words.specials)
    assert words.tokens[words.turn_end] == "<|im_end|>"
    assert words.tokens[words.end_of_text] == "<|endoftext|>"


def test_bytes_that_cannot_be_seen_have_another_letter() -> None:
    letters = vocabulary.byte_alphabet()
    assert len(set(letters)) == 256
    assert letters[ord("A")] == "A"
    assert letters[ord(" ")] == vocabulary.SPACE


@pytest.mark.parametrize("size", [vocabulary.SMALLEST, 512, 32_768])
def test_every_merge_joins_two_tokens_to_one(size: int) -> None:
    words = vocabulary.make(size)
    tokens = set(words.tokens)
    for merge in words.merges:
        left, right = merge.split(" ")
        assert {left, right, left + right} <= tokens


def test_a_small_vocabulary_has_no_word_that_a_text_could_reach() -> None:
    assert vocabulary.make(512).merges == vocabulary.MERGES


def test_each_short_word_is_reached_in_a_large_one() -> None:
    merges = vocabulary.make(32_768).merges
    assert merges[0] == f"{vocabulary.SPACE} a"
    assert f"{vocabulary.SPACE}th e" in merges
    assert len(merges) == 26 + 26**2 + 26**3 + len(vocabulary.MERGES)


def test_too_few_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        vocabulary.make(vocabulary.SMALLEST - 1)
