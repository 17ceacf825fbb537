"""Nothing a user sends can forge a line of the journal or break an encoder."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edged.serving.text import MAX_PLAIN, MAX_QUOTE, clean, plain, quote

ANY = st.text(st.characters(), max_size=300)


@settings(deadline=None)
@given(ANY)
def test_quote_and_plain_are_printable_and_bounded(text: str) -> None:
    for made, limit in ((quote(text), MAX_QUOTE), (plain(text), MAX_PLAIN)):
        assert made.isprintable()
        assert len(made) <= limit * len("\\U0001f600") + 5
        made.encode()


def test_what_is_harmless_stays() -> None:
    assert quote('a"\\') == r'"a\"\\"'
    assert quote("größe 😀") == '"größe 😀"'
    assert plain('say "hi"') == 'say "hi"'


def test_what_is_not_is_shown() -> None:
    assert quote("a\n\x1b[31m\u202e") == '"a\\n\\x1b[31m\\u202e"'
    assert quote("x" * 41) == f'"{"x" * 40}..."'


@settings(deadline=None)
@given(ANY)
def test_clean_can_be_encoded(text: str) -> None:
    assert len(clean(text).encode()) >= len(text)


def test_clean_replaces_only_surrogates() -> None:
    assert clean("a\ud800é") == "a?é"
    assert clean("aé😀") == "aé😀"
