from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from edged.daemon.steering import Steering
from tests.daemon.rooms import Rooms
from tests.serving.make import arrived, completed, engine_ready, request

if TYPE_CHECKING:
    from edged.daemon.selection import Selection


class Chooser:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def pin(self, variant: str) -> None:
        if variant == "huge":
            message = "it does not fit"
            raise ValueError(message)
        self.told.append(variant)

    def retarget(self, target_tps: float) -> None:
        self.told.append(target_tps)

    def time_again(self) -> None:
        self.told.append("again")


class Desk:
    """A steering over fake rooms that choose a model."""

    def __init__(self) -> None:
        self.rooms = Rooms()
        self.chooser = Chooser()
        self.announced: list[float] = []
        self.steering = Steering(
            announce=self.announced.append,
            dispatcher=self.rooms.dispatcher,
            engine=None,
            session=self.rooms.session,
            topics=self.rooms.topics,
            prefixes=None,
            selection=cast("Selection", self.chooser),
        )

    def tell(self, verb: str, payload: bytes = b"") -> dict[str, Any]:
        self.steering.command(verb, payload, 7.0)
        (sent,) = self.rooms.fake_session.on(f"edged/n/command/{verb}/result")
        assert (sent.qos, sent.retain) == (1, False)
        result: dict[str, Any] = json.loads(sent.payload)
        return result


@pytest.mark.parametrize(
    ("verb", "payload", "told"),
    [("select", b"small", "small"), ("target", b"7.5", 7.5), ("benchmark", b"PRESS", "again")],
)
def test_what_chooses_is_told(verb: str, payload: bytes, told: object) -> None:
    desk = Desk()
    assert desk.tell(verb, payload) == {"verb": verb, "status": "ok"}
    assert desk.chooser.told == [told]


def test_what_makes_no_sense_is_answered_with_the_reason() -> None:
    desk = Desk()
    result = desk.tell("select", b"huge")
    assert result == {"verb": "select", "status": "error", "error": "it does not fit"}


def test_everything_is_announced_at_the_time_of_the_command() -> None:
    desk = Desk()
    desk.tell("announce")
    assert desk.announced == [7.0]


def talk(desk: Desk, session: str) -> None:
    """One request of a session, answered."""
    dispatcher, asked = desk.rooms.dispatcher, request(session, session=session)
    dispatcher.on(engine_ready(), 1.0)
    dispatcher.on(arrived(asked), 1.0)
    dispatcher.on(completed(asked.key), 1.0)


@pytest.mark.parametrize(
    ("payload", "left"),
    [
        (b"s", {"t"}),
        (b'{"session": "s"}', {"t"}),
        (b"x", {"s", "t"}),
        (b"all", set()),
        (b"", set()),
    ],
)
def test_sessions_are_forgotten_and_counted(payload: bytes, left: set[str]) -> None:
    desk = Desk()
    for session in ("s", "t"):
        talk(desk, session)
    result = desk.tell("forget", payload)
    assert result == {"verb": "forget", "status": "ok", "sessions": 2 - len(left)}
    assert {name for name in ("s", "t") if desk.rooms.dispatcher.sessions(name)} == left


def test_a_payload_that_names_no_session_forgets_nothing() -> None:
    desk = Desk()
    talk(desk, "s")
    assert desk.tell("forget", b"../s")["status"] == "error"
    assert desk.rooms.dispatcher.sessions(None) == 1


def test_an_engine_that_is_not_there_need_not_be_forgiven() -> None:
    desk = Desk()
    assert desk.tell("resume")["status"] == "ok"
