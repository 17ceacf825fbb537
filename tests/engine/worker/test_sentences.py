"""Where an answer may be cut, and that nothing else is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.engine.worker.sentences import MAX_HELD, Tail, last_end


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("It is warm. The door", "It is warm."),
        ("It is warm! Is it? No", "It is warm! Is it?"),
        ('He said "no." Then', 'He said "no."'),
        ("It is **warm.** And", "It is **warm.**"),
        ("Well... yes", "Well..."),
        ("It is 21", ""),
        ("It is 21.5 degrees", ""),
        ("It is 21. Then", "It is 21."),
        ("Three:\n- one\n- tw", "Three:\n- one"),
        ("First.\n1. Take", "First."),
        ("1. Take", ""),
        ("\n\n", ""),
        ("今日は晴れです。明日", "今日は晴れです。"),
        ("", ""),
    ],
)
def test_the_last_end_of_a_sentence(text: str, whole: str) -> None:
    assert text[: last_end(text)] == whole


@pytest.mark.parametrize(("text", "end"), [("It is 21.", 9), ("It is", 0), ("2.", 0), ("No?)", 4)])
def test_what_nothing_follows(text: str, end: int) -> None:
    assert last_end(text) == 0
    assert last_end(text, final=True) == end


def left(pieces: list[str], *, cut: bool) -> str:
    tail = Tail()
    return "".join(map(tail.feed, pieces)) + tail.close("", cut=cut)


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["It is", " warm.", " The", " door"], "It is warm."),
        (["It is", " warm."], "It is warm."),
        (["It is", " warm "], "It is warm"),
        (["It is warm. ", "The "], "It is warm."),
        ([], ""),
    ],
)
def test_a_cut_text_ends_with_a_sentence_or_else_a_word(pieces: list[str], text: str) -> None:
    assert left(pieces, cut=True) == text


def test_what_comes_last_belongs_to_it() -> None:
    tail = Tail()
    assert tail.feed("It is") == ""
    assert tail.close(" warm.", cut=True) == "It is warm."


def test_a_sentence_without_end_is_not_held_for_ever() -> None:
    tail = Tail()
    assert tail.feed("One. ") == "One."
    assert tail.feed("x" * MAX_HELD) == " " + "x" * MAX_HELD
    assert tail.close(" and more", cut=True) == " and more", "what it belongs to has left"


@given(st.lists(st.text(alphabet=" .a\n1。", max_size=9)))
def test_nothing_is_lost_that_is_not_cut(pieces: list[str]) -> None:
    assert left(pieces, cut=False) == "".join(pieces)
    assert "".join(pieces).startswith(left(pieces, cut=True))
