"""Rooms made from the configuration."""

from __future__ import annotations

from edged.daemon.making import rules, serving_settings
from edged.daemon.prefixes import persona_of
from edged.mqtt.topics import Topics
from edged.serving.conversations import Bounds
from edged.settings import Config, PersonaConfig, SessionsConfig, TurnConfig


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
