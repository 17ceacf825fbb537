"""Rooms made from the configuration."""

from __future__ import annotations

from edged.daemon.making import rules
from edged.daemon.prefixes import persona_of
from edged.mqtt.topics import Topics
from edged.settings import Config, PersonaConfig, TurnConfig


def test_a_request_of_a_persona_begins_with_what_the_child_has_read() -> None:
    turn = TurnConfig(user="Hello?\n", assistant=" Sir. ")
    butler = PersonaConfig(name="butler", system="Be brief.\n", turns=(turn,))
    personas = rules(Config(personas=(butler,)), Topics("n")).personas
    asked = [(message.role, message.content) for message in personas["butler"]]
    assert asked == [("system", "Be brief."), ("user", "Hello?"), ("assistant", "Sir.")]
    assert asked == [(turn.role, turn.content) for turn in persona_of(butler).messages]
