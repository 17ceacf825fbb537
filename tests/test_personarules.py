"""Mistakes in personas and their fields, each told by its place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edged.config import Config, parse
from edged.personarules import MAX_SNAPSHOT_CHARS, MAX_TOPICS

SYSTEM = "You are hunter2.\nOutside: {{ outside }}."


def told(*personas: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    found = parse(msgspec.json.encode({"personas": list(personas), **more}), "x.yaml")
    if isinstance(found, Config):
        return []
    assert not any("hunter2" in str(problem) for problem in found)
    return [(problem.where, problem.message) for problem in found]


def persona(system: str = SYSTEM, **field: Any) -> dict[str, Any]:
    fields = [{"name": "outside", "topic": "garden/air", **field}]
    return {"name": "butler", "system": system, "fields": fields}


def one(*personas: dict[str, Any], **more: Any) -> tuple[str, str]:
    (problem,) = told(*personas, **more)
    return problem


def test_a_field_has_a_topic_and_defaults_for_the_rest() -> None:
    config = parse(msgspec.json.encode({"personas": [persona()]}), "x.yaml")
    assert isinstance(config, Config)
    (field,) = config.personas[0].fields
    assert (field.name, field.topic, field.path, field.unit) == ("outside", "garden/air", None, "")
    assert (field.default, field.max_chars, field.max_age_s) == ("unknown", 200, None)


@pytest.mark.parametrize(
    "field",
    [
        {"topic": "/garden//air 2/ä"},
        {"topic": "homeassistant/sensor/outside/state"},
        {"path": "weather.0.temperature"},
        {"default": ""},
        {"max_chars": 1, "max_age_s": 1.5, "unit": "°C"},
    ],
)
def test_what_a_house_may_have(field: dict[str, Any]) -> None:
    assert told(persona(**field)) == []


@pytest.mark.parametrize(
    ("field", "key", "said"),
    [
        ({"name": "Outside"}, "name", "a-z 0-9"),
        ({"topic": ""}, "topic", "length >= 1"),
        ({"topic": "garden/+"}, "topic", "one topic"),
        ({"topic": "garden/#"}, "topic", "one topic"),
        ({"topic": "$SYS/broker/load"}, "topic", "start with $"),
        ({"topic": "$share/a/b"}, "topic", "start with $"),
        ({"topic": "edged/edged/event"}, "topic", "in edged/"),
        ({"topic": "edged"}, "topic", "in edged/"),
        ({"topic": "homeassistant/status"}, "topic", "Home Assistant"),
        ({"topic": "a\0b"}, "topic", "printable"),
        ({"topic": "x" * 257}, "topic", "length <= 256"),
        ({"topic": 7}, "topic", "text"),
        ({"path": ""}, "path", "length >= 1"),
        ({"path": "a..b"}, "path", "a dot between"),
        ({"path": ".a"}, "path", "a dot between"),
        ({"path": "a\nb"}, "path", "a dot between"),
        ({"path": "a.b.c.d.e.f.g.h.i"}, "path", "at most 8"),
        ({"unit": "\t"}, "unit", "printable"),
        ({"unit": "x" * 17}, "unit", "length <= 16"),
        ({"default": "x" * 257}, "default", "length <= 256"),
        ({"default": None}, "default", "text"),
        ({"max_chars": 0}, "max_chars", ">= 1"),
        ({"max_chars": 2001}, "max_chars", "<= 2000"),
        ({"max_chars": "many"}, "max_chars", "number"),
        ({"max_age_s": 0}, "max_age_s", ">= 1"),
        ({"max_age_s": 604_801}, "max_age_s", "<= 604800"),
        ({"retain": True}, "retain", "known are name, topic"),
        ({"topci": "a"}, "topci", "did you mean topic?"),
    ],
)
def test_a_mistake_in_a_field_is_told_by_its_place(
    field: dict[str, Any], key: str, said: str
) -> None:
    problems = told(persona(**field))
    assert problems[0][0] == f"personas[0].fields[0].{key}"
    assert said in problems[0][1]


def test_a_field_without_name_or_topic_is_told_once() -> None:
    bare: dict[str, Any] = {**persona(), "fields": [{}]}
    assert [where for where, _ in told(bare)] == [
        "personas[0].fields[0].name",
        "personas[0].fields[0].topic",
    ]


def test_half_a_surrogate_pair_is_no_default() -> None:
    text = "personas: [{name: a, system: 'x', fields: [{name: b, topic: c, default: \"\\ud800\"}]}]"
    found = parse(text.encode(), "x.yaml")
    assert isinstance(found, list)
    assert {problem.where for problem in found} >= {"personas[0].fields[0].default"}


def test_where_home_assistant_is_not_told_its_status_is_a_topic_like_others() -> None:
    assert told(persona(topic="homeassistant/status"), discovery={"mode": "off"}) == []
    assert told(persona(topic="ha/status"), discovery={"prefix": "ha"})


@pytest.mark.parametrize(
    ("system", "said"),
    [
        ("It is {{ outside }} outside.\nBe brief.", "begin with a line without {{"),
        ("Be brief.\n{{ outside }} {{ Outside }}", "opens no field"),
        ("Be brief.\n{{ outside }} {{", "opens no field"),
        ("Be brief.\n{{ outside | upper }} {{ outside }}", "opens no field"),
        ("Be brief.\n{{ outsde }}", "{{ outsde }} is none of its fields; did you mean outside?"),
        ("Be brief.\n{{ inside-of }}", "{{ inside-of }} is none of its fields; known are outside"),
    ],
)
def test_a_mistake_in_the_text_is_told(system: str, said: str) -> None:
    where, message = one(persona(system))
    assert where == "personas[0].system"
    assert said in message


def test_every_unknown_field_is_told_at_once() -> None:
    bare = {"name": "a", "system": "x\n{{ one }} {{ two }} {{ one }}"}
    assert told(bare) == [
        ("personas[0].system", "{{ one }} is none of its fields; known are none"),
        ("personas[0].system", "{{ two }} is none of its fields; known are none"),
    ]


def test_a_field_that_nothing_asks_for_is_told() -> None:
    where, message = one(persona("Be brief."))
    assert (where, message) == (
        "personas[0].fields[0].name",
        "no {{ outside }} in system asks for it",
    )


def test_fields_are_filled_in_the_system_text_alone() -> None:
    turns = [{"user": "x", "assistant": "{{ outside }}"}]
    where, message = one({**persona(), "turns": turns})
    assert where == "personas[0].turns[0].assistant"
    assert "system alone" in message


def test_two_fields_have_two_names_and_may_share_a_topic() -> None:
    two = [{"name": name, "topic": "garden/air", "path": name} for name in ("a", "b")]
    text = "x\n{{ a }} {{ b }}"
    assert told({"name": "p", "system": text, "fields": two}) == []
    twice = {"name": "p", "system": "x\n{{ a }}", "fields": [two[0], two[0]]}
    assert one(twice) == ("personas[0].fields[1].name", "is the name of item 0 too")


def test_a_snapshot_is_bounded_before_it_is_filled() -> None:
    most = persona("x\n" + "{{ outside }} " * 4, max_chars=2000)
    assert told(most) == []
    where, message = one(persona("x\n" + "{{ outside }} " * 5, max_chars=2000))
    assert where == "personas[0].system"
    assert str(MAX_SNAPSHOT_CHARS) in message
    assert "max_chars" in message
    assert told(persona("x\n" + "{{ outside }}" * 33, max_chars=1, default="y" * 256))


def test_there_are_so_many_topics_and_fields_and_no_more() -> None:
    def many(count: int, start: int = 0) -> dict[str, Any]:
        fields = [{"name": f"f{n}", "topic": f"t/{start + n}"} for n in range(count)]
        text = "x\n" + "".join(f"{{{{ f{n} }}}}" for n in range(count))
        return {"name": f"p{start}", "system": text, "fields": fields}

    house = [many(32, start) for start in range(0, MAX_TOPICS, 32)]
    assert told(*house) == []
    where, message = one(*house, many(1, MAX_TOPICS))
    assert where == "personas"
    assert str(MAX_TOPICS) in message
    assert told(many(33))[0] == ("personas[0].fields", "has 33 items, and at most 32 are taken")
