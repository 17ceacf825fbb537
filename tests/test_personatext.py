from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.personatext import fill, is_torn, names, parts

TEXT = st.text(st.sampled_from("{} \nab"), max_size=40)


@pytest.mark.parametrize(
    ("system", "lead", "snapshot"),
    [
        ("Be brief.\n", "Be brief.", ""),
        ("", "", ""),
        ("Be brief.\n\nIn: {{ a }}\nOut: {{b}}\n", "Be brief.", "In: {{ a }}\nOut: {{b}}"),
        ("You are\nhere: {{ a }}. Be brief.\nNow.", "You are", "here: {{ a }}. Be brief.\nNow."),
        ("Be brief.\n \nHouse:\nIn {{ a }}\n\nNow.", "Be brief.", "House:\nIn {{ a }}\n\nNow."),
        ("A.\n\nB.\n\n\nC:\n{{ a }}", "A.\n\nB.", "C:\n{{ a }}"),
        ("\n\nA.\nB: {{ a }}", "A.", "B: {{ a }}"),
        ("{{ a }} first", "", "{{ a }} first"),
        ('As {"a": {"b": 1}}.', 'As {"a": {"b": 1}}.', ""),
    ],
)
def test_what_is_filled_in_comes_last_by_lines(system: str, lead: str, snapshot: str) -> None:
    assert parts(system) == (lead, snapshot)


def test_a_field_has_a_name_between_two_braces() -> None:
    text = "{{ a }}{{b-1}} {{\tc_2 }} {{ a }}"
    assert names(text) == ("a", "b-1", "c_2", "a")
    assert fill(text, {"a": "1", "b-1": "2", "c_2": "{{ a }}"}) == "12 {{ a }} 1"
    with pytest.raises(KeyError):
        fill("{{ a }}", {})


@pytest.mark.parametrize("text", ["{{", "{{ a", "{{ A }}", "{{ a.b }}", "{{a}}{{", "{{ }}"])
def test_what_opens_no_field_is_torn(text: str) -> None:
    assert is_torn(text)


@pytest.mark.parametrize("text", ["", "{ { a } }", "}}", "{{ a }}}", "{{{ a }}", "{% a %}"])
def test_what_opens_nothing_is_whole(text: str) -> None:
    assert not is_torn(text)


@given(TEXT)
def test_no_word_is_lost_and_no_field_is_left_in_what_is_read_once(system: str) -> None:
    lead, snapshot = parts(system)
    assert "{{" not in lead
    assert f"{lead}\n{snapshot}".split() == system.split()
    if not is_torn(system):
        assert names(system) == names(snapshot)


@given(TEXT, TEXT)
def test_a_value_is_never_filled_in_turn(text: str, value: str) -> None:
    marked = fill(text, dict.fromkeys(names(text), "\0"))
    assert fill(text, dict.fromkeys(names(text), value)) == marked.replace("\0", value)
