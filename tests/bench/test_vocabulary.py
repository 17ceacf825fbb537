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


def test_every_merge_joins_to_a_token() -> None:
    tokens = set(vocabulary.make(vocabulary.SMALLEST).tokens)
    assert all(merge.replace(" ", "") in tokens for merge in vocabulary.MERGES)


def test_too_few_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        vocabulary.make(vocabulary.SMALLEST - 1)
