from __future__ import annotations

import msgspec
import pytest

from edged.daemon import commands


def test_a_known_verb_is_done_with_its_payload() -> None:
    done: list[str] = []
    result = commands.run("select", b" a.gguf\n", {"select": done.append})
    assert done == ["a.gguf"]
    assert msgspec.json.encode(result) == b'{"verb":"select","status":"ok"}'


def test_an_unknown_verb_names_the_known_ones() -> None:
    result = commands.run("fly", b"", {"resume": print, "pause": print})
    assert result.status == "error"
    assert result.error == "unknown command; known are pause, resume"


@pytest.mark.parametrize(
    ("payload", "said"), [(b"\xff", "not UTF-8"), (b"x" * 257, "257 bytes, over 256")]
)
def test_a_payload_that_cannot_be_read_is_not_passed_on(payload: bytes, said: str) -> None:
    done: list[str] = []
    result = commands.run("select", payload, {"select": done.append})
    assert result.error is not None
    assert said in result.error
    assert done == []


def test_a_target_is_a_number_in_bounds() -> None:
    assert commands.tokens_per_second("7.5") == 7.5


@pytest.mark.parametrize("text", ["", "fast", "nan", "inf", "-1", "0", "10001", "8 tok/s"])
def test_any_other_target_is_refused(text: str) -> None:
    result = commands.run("target", text.encode(), {"target": refuse})
    assert result.error == "the payload must be tokens per second, a number from 0.1 to 10000"


def test_a_switch_says_on_or_off_and_nothing_else() -> None:
    assert commands.switched_on("ON")
    assert not commands.switched_on("OFF")
    with pytest.raises(ValueError, match="must be ON or OFF"):
        commands.switched_on("on")


def test_what_was_counted_is_told() -> None:
    result = commands.run("forget", b"", {"forget": lambda _: 2})
    assert msgspec.json.encode(result) == b'{"verb":"forget","status":"ok","sessions":2}'


@pytest.mark.parametrize(
    "text", ["evening-1", '{"session": "evening-1"}', '{"session":"evening-1"}\n']
)
def test_a_session_is_named_bare_or_in_json(text: str) -> None:
    assert commands.session(text) == "evening-1"


@pytest.mark.parametrize("text", ["", "all", "PRESS"])
def test_everything_is_forgotten_by_nothing_by_all_or_by_a_button(text: str) -> None:
    assert commands.session(text) is None


@pytest.mark.parametrize("word", ["all", "PRESS"])
def test_json_reaches_a_session_by_any_name(word: str) -> None:
    assert commands.session(f'{{"session": "{word}"}}') == word


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "../x",
        "a" * 65,
        "é",
        "{",
        "{}",
        '{"session": null}',
        '{"session": 5}',
        '{"session": ""}',
        '{"session": "a/b"}',
        '{"session": "a", "all": true}',
    ],
)
def test_what_is_no_session_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="the payload must be a session") as caught:
        commands.session(text)
    assert str(caught.value).endswith('as an id or {"session": id}; or all, or nothing')


def refuse(text: str) -> None:
    commands.tokens_per_second(text)
