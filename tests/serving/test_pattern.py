"""What a pattern lets through is what a regular expression would, and nothing else is taken."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.serving.pattern import MAX_PATTERN_CHARS, Atom, atoms


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^$", ()),
        ("^a$", (Atom("a"),)),
        ("^ab?$", (Atom("a"), Atom("b", 0, 1))),
        ("^[a-z]+$", (Atom("[a-z]", 1, None),)),
        ("^[0-9]*x$", (Atom("[0-9]", 0, None), Atom("x"))),
        (r"^\.\$$", (Atom("."), Atom("$"))),
        ("^[A-Za-z_-]{2}$", (Atom("[A-Za-z_-]", 2, 2),)),
        ("^[a-f]{2,}:{0,3}$", (Atom("[a-f]", 2, None), Atom(":", 0, 3))),
    ],
)
def test_parts(pattern: str, expected: tuple[Atom, ...]) -> None:
    assert atoms(pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (7, "not a text"),
        ("^" + "a" * MAX_PATTERN_CHARS + "$", "not a text of at most 200"),
        ("a", "begin with ^"),
        ("^a", "begin with ^"),
        ("^(a|b)$", "from character 1"),
        ("^(a+)+$", "from character 1"),
        ("^a.b$", "from character 2"),
        ("^[^a]$", "from character 1"),
        ('^"$', "from character 1"),
        (r"^\\$", "from character 1"),
        (r"^\d$", "from character 1"),
        ("^a??$", "from character 3"),
        ("^a{3$", "from character 2"),
        ("^é$", "from character 1"),
        ("^a{3,2}$", "from large to small"),
        ("^[z-a]$", "from large to small"),
    ],
)
def test_what_is_refused(pattern: object, said: str) -> None:
    refused = atoms(pattern)
    assert isinstance(refused, str)
    assert said in refused


PIECES = ["a", "-", r"\.", r"\$", "[a-c]", "[x_-]", "?", "*", "+", "{2}", "{1,}", "{0,3}", "{4,1}"]


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), st.data())
def test_texts_made_of_the_parts_fit_the_expression(body: str, data: st.DataObject) -> None:
    parts = atoms(f"^{body}$")
    if isinstance(parts, str):
        return
    text = ""
    for atom in parts:
        choice = st.from_regex(atom.text, fullmatch=True) if len(atom.text) > 1 else st.just("")
        most = atom.least + 2 if atom.most is None else atom.most
        for _ in range(data.draw(st.integers(atom.least, most))):
            text += data.draw(choice) or atom.text
    assert re.fullmatch(body, text)


@given(st.text(max_size=20))
def test_any_text_is_parts_or_words(pattern: str) -> None:
    assert isinstance(atoms(pattern), str | tuple)
