from __future__ import annotations

from typing import Any

from edged.daemon.facts import FactKeeper
from edged.daemon.notes import Notes
from edged.mqtt.packet import MAX_FACT_BYTES, Connected, Incoming
from edged.serving.facts import REPLAY_S
from edged.serving.request import Message, Request
from edged.settings import FieldConfig, PersonaConfig
from tests.daemon.rooms import Rooms

PERSONA = PersonaConfig(
    name="porter",
    system="You are the porter.\nThe hall is {{ hall }}.",
    fields=(FieldConfig(name="hall", topic="home/hall"),),
)
REQUEST = Request(
    id="a",
    client="",
    messages=(
        Message(role="system", content="You are the porter."),
        Message(role="user", content="How is it?"),
    ),
    max_tokens=9,
    persona="porter",
)


class Desk:
    """A keeper over fake rooms."""

    def __init__(self) -> None:
        rooms = self.rooms = Rooms()
        self.notes = Notes(rooms.journal, rooms.meter, rooms.health, rooms.sense)
        self.keeper = FactKeeper((PERSONA,), rooms.clock, self.notes)

    def hear(self, payload: bytes, size: int | None = None, **fields: Any) -> None:
        base: dict[str, Any] = {"qos": 0, "retain": False, "dup": False, "mid": 0, "connection": 1}
        message = Incoming(topic="home/hall", payload=payload, size=size, **{**base, **fields})
        self.keeper.hear(message)

    def asked(self) -> str:
        told = self.keeper.told(REQUEST, self.rooms.clock.monotonic())
        return told.messages[-1].content.partition("\n")[0]


def test_the_newest_word_is_told_and_none_of_them_is_logged() -> None:
    desk = Desk()
    desk.hear(b"dark")
    desk.hear(b"hunter2")
    assert desk.asked() == "The hall is hunter2."
    assert desk.rooms.lines == []


def test_fields_without_a_value_are_named() -> None:
    desk = Desk()
    assert desk.asked() == "The hall is unknown."
    assert desk.rooms.lines == ['INFO noted reason="no value for hall" persona=porter']


def test_what_is_too_large_is_a_problem_until_it_is_not() -> None:
    desk = Desk()
    desk.hear(b"dark")
    desk.hear(b"", size=1_000_000)
    assert desk.asked() == "The hall is unknown."
    said = f"home/hall has 1000000 bytes, at most {MAX_FACT_BYTES} are read"
    assert said in desk.rooms.lines[0]
    assert desk.rooms.lines[0].startswith("WARNING field ignored")
    assert desk.rooms.health.active("field_too_large")
    desk.hear(b"lit")
    assert desk.asked() == "The hall is lit."
    assert not desk.rooms.health.active("field_too_large")


def test_what_the_broker_does_not_send_again_is_gone_a_little_after_the_connection() -> None:
    desk = Desk()
    desk.hear(b"lit", retain=True)
    desk.keeper.connected(Connected(connection=2, session_present=True))
    assert desk.asked() == "The hall is lit."
    desk.rooms.clock.advance(REPLAY_S + 1)
    assert desk.asked() == "The hall is unknown."
