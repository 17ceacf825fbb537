"""Rooms made from the configuration."""

from __future__ import annotations

from edged.daemon.making import rules, serving_settings, topics
from edged.daemon.prefixes import persona_of
from edged.mqtt.topics import Topics
from edged.serving.conversations import Bounds
from edged.settings import (
    Config,
    DiscoveryConfig,
    FieldConfig,
    PersonaConfig,
    SessionsConfig,
    TurnConfig,
)


def test_a_configuration_that_says_nothing_keeps_what_the_room_keeps_by_itself() -> None:
    assert serving_settings(Config()).sessions == Bounds()
    given = SessionsConfig(capacity=3, max_tokens=100, max_age_s=60)
    bounds = serving_settings(Config(sessions=given)).sessions
    assert bounds == Bounds(capacity=3, max_tokens=100, max_age_s=60)


def test_a_request_of_a_persona_begins_with_what_the_child_has_read() -> None:
    turn = TurnConfig(user="Hello?\n", assistant=" Sir. ")
    butler = PersonaConfig(name="butler", system="Be brief.\n", turns=(turn,))
    personas = rules(Config(personas=(butler,)), Topics("n")).personas
    asked = [(message.role, message.content) for message in personas["butler"]]
    assert asked == [("system", "Be brief."), ("user", "Hello?"), ("assistant", "Sir.")]
    assert asked == [(turn.role, turn.content) for turn in persona_of(butler).messages]


def test_what_is_filled_in_is_not_read_ahead() -> None:
    air = FieldConfig(name="air", topic="garden/air")
    butler = PersonaConfig(name="butler", system="Be brief.\n\nAir: {{ air }}", fields=(air,))
    (lead,) = rules(Config(personas=(butler,)), Topics("n")).personas["butler"]
    assert (lead.role, lead.content) == ("system", "Be brief.")


def test_the_topics_of_fields_are_read_beside_our_own() -> None:
    fields = tuple(FieldConfig(name=name, topic="garden/air") for name in ("a", "b"))
    personas = (PersonaConfig(name="x", fields=fields), PersonaConfig(name="y"))
    tree = topics(Config(node="n", personas=personas, discovery=DiscoveryConfig(mode="off")))
    assert tree.facts == {"garden/air"}
    assert serving_settings(Config(personas=personas)).unheard == {"x"}
    assert tree.subscriptions() == Topics("n").subscriptions() | {"garden/air": 0}
    assert topics(Config()).parse("homeassistant/status") is not None
