from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.config import Loaded, read
from edged.configrenames import RENAMES, Rename, renewed
from edged.settings import Config
from edged.yamltree import read_tree

if TYPE_CHECKING:
    from edged.sections import Problem

TABLE = (
    Rename(section="mqtt", old="server", new="host"),
    Rename(section="", old="name", new="node"),
    Rename(section="model.download", old="speed", new="rate", values=(("slow", 1), (1, 9))),
)


def loaded(text: str) -> Loaded:
    found = read(text.encode(), "edged.yaml")
    assert isinstance(found, Loaded), found
    return found


def problems(text: str) -> list[str]:
    found = read(text.encode(), "edged.yaml")
    assert isinstance(found, list), found
    return [str(problem) for problem in found]


def said(text: str) -> tuple[str, list[str], list[str]]:
    """The tree in the words of today, its notes and its problems."""
    today = renewed(read_tree(text.encode()), "f", TABLE)
    return repr(today.tree), _texts(today.notes), _texts(today.problems)


def _texts(found: tuple[Problem, ...]) -> list[str]:
    return [str(problem) for problem in found]


def tree(text: str) -> str:
    return repr(read_tree(text.encode()))


@pytest.mark.parametrize(("then", "today"), [("true", "on"), ("False", "off")])
def test_a_yes_or_no_of_an_older_version_is_taken_over_and_told(then: str, today: str) -> None:
    found = loaded(f"node: a\nengine:\n  threads: 3\n  repack: {then}\n")
    assert (found.config.engine.repack, found.config.engine.threads) == (today, 3)
    word = f"engine.repack: is of an older version, and read as `engine.repack: {today}`"
    assert found.notes == (f"edged.yaml:4: {word}",)


@pytest.mark.parametrize("word", ["auto", "on", "off"])
def test_words_of_today_need_no_note(word: str) -> None:
    found = loaded(f"engine: {{repack: {word}}}")
    assert (found.config.engine.repack, found.notes) == (word, ())


def test_a_file_without_old_words_is_read_as_it_is() -> None:
    assert loaded("") == Loaded(Config())
    assert loaded("engine:\n") == Loaded(Config())


@pytest.mark.parametrize("value", ["1", "yes", "'true'", "[true]"])
def test_what_was_a_mistake_then_is_one_today(value: str) -> None:
    (problem,) = problems(f"engine: {{repack: {value}}}")
    assert problem.startswith("edged.yaml:1: engine.repack: must be one of auto, on, off; it is")


def test_an_old_value_given_twice_is_told_with_both_lines() -> None:
    assert problems("engine:\n  repack: true\n  repack: false\n") == [
        "edged.yaml:3: engine.repack: stands here again, first in line 2"
    ]


def test_a_key_is_read_under_its_name_of_today_with_its_own_value() -> None:
    today, notes, wrong = said("mqtt:\n  server: hunter2\nname: a\n")
    assert today == tree("mqtt:\n  host: hunter2\nnode: a\n")
    assert notes == [
        "f:2: mqtt.server: is of an older version, and read as `mqtt.host`",
        "f:3: name: is of an older version, and read as `node`",
    ]
    assert wrong == []


def test_a_key_and_its_value_may_both_be_others() -> None:
    today, notes, _ = said("model: {download: {speed: slow}}")
    assert today == tree("model: {download: {rate: 1}}")
    assert notes == [
        "f:1: model.download.speed: is of an older version, and read as `model.download.rate: 1`"
    ]
    today, notes, _ = said("model: {download: {speed: true}}")
    assert today == tree("model: {download: {rate: true}}")  # which is not 1
    assert len(notes) == 1
    today, _, _ = said("mqtt: {server: [a]}")
    assert today == tree("mqtt: {host: [a]}")


def test_the_old_and_the_new_key_together_are_a_mistake_that_names_both_lines() -> None:
    for text, old, new in (("server: a\n  host: b", 2, 3), ("host: b\n  server: a", 3, 2)):
        today, notes, wrong = said(f"mqtt:\n  {text}\n")
        assert "server" not in today
        assert notes == []
        assert wrong == [
            f"f:{old}: mqtt.server: is called mqtt.host today, in line {new} too: remove one"
        ]


def test_only_the_section_that_is_meant_is_touched() -> None:
    for text in ("server: a\nmodel: {speed: 1, download: 5}", "mqtt: [server]", "[server]", "mqtt"):
        assert said(text) == (tree(text), [], [])


def test_mistakes_found_in_renaming_stand_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edged.config.renewed", lambda one, source: renewed(one, source, TABLE))
    assert [line.split(": ")[:2] for line in problems("node: a\nname: b\nmqtt: 5\n")] == [
        ["edged.yaml:2", "name"],
        ["edged.yaml:3", "mqtt"],
    ]


def test_the_table_leads_to_keys_and_values_there_are() -> None:
    for rename in RENAMES:
        section = Config()
        for name in rename.section.split("."):
            section = getattr(section, name)
        assert rename.new in section.__struct_fields__
        assert rename.old == rename.new or rename.old not in section.__struct_fields__
        for then, _ in rename.values:
            word = str(then).lower()
            assert loaded(f"{rename.section}: {{{rename.old}: {word}}}").notes
