from __future__ import annotations

import json

import pytest

from edged.daemon.notes import Notes
from edged.daemon.twin import PATIENCE_S, RECHECK_S, Twin
from edged.mqtt.packet import Incoming
from tests.daemon.rooms import Rooms


class Desk:
    """One of two, and what it said."""

    def __init__(self, boot_id: str = "me") -> None:
        self.rooms = Rooms()
        notes = Notes(self.rooms.journal, self.rooms.meter, self.rooms.health, self.rooms.sense)
        self.twin = Twin(boot_id, lambda: self.told.append(self.now), notes)
        self.told: list[float] = []
        self.now = 0.0

    def hear(self, payload: bytes, *, retain: bool = False) -> None:
        message = Incoming(
            topic="edged/n/info",
            payload=payload,
            qos=0,
            retain=retain,
            dup=False,
            mid=0,
            connection=1,
        )
        self.twin.heard(message, self.now)

    def at(self, now: float) -> None:
        self.now = now
        self.twin.due(now)

    def worried(self) -> bool:
        return self.rooms.health.active("name_taken")


def info(boot_id: str) -> bytes:
    return json.dumps({"node": "n", "boot_id": boot_id}).encode()


OTHER = info("other")


@pytest.mark.parametrize("payload", [info("me"), b"", b"junk", b"[1]", b"{}", b'{"boot_id": 5}'])
def test_what_is_ours_or_no_info_is_no_twin(payload: bytes) -> None:
    desk = Desk()
    desk.hear(payload)
    assert not desk.worried()
    assert desk.told == []


def test_what_the_broker_kept_of_our_past_is_no_twin_until_it_has_ours() -> None:
    desk = Desk()
    desk.hear(OTHER, retain=True)
    assert not desk.worried()
    desk.hear(info("me"))
    desk.hear(OTHER, retain=True)  # the broker was restarted with what it had saved before
    assert not desk.worried()
    desk.hear(info("third"), retain=True)
    assert desk.worried()
    assert desk.twin.here


def test_who_lives_is_a_twin_though_it_was_there_before_us() -> None:
    desk = Desk()
    desk.hear(OTHER, retain=True)
    desk.hear(OTHER)
    assert desk.worried()


def test_a_twin_is_told_once_and_answered_now_and_then() -> None:
    desk = Desk()
    desk.hear(OTHER)
    assert desk.worried()
    desk.now = PATIENCE_S - 1
    desk.hear(OTHER)
    assert desk.told == [0.0]
    desk.now = PATIENCE_S
    desk.hear(OTHER)
    assert desk.told == [0.0, PATIENCE_S]
    assert len([line for line in desk.rooms.lines if "name_taken" in line]) == 1


def test_a_session_that_was_taken_over_is_told() -> None:
    desk = Desk()
    desk.twin.taken_over(5.0)
    assert desk.worried()
    assert desk.told == []


def test_a_twin_that_does_not_answer_any_more_is_gone() -> None:
    desk = Desk()
    desk.at(1e6)
    desk.hear(OTHER)
    start = desk.now
    desk.at(start + RECHECK_S - 1)
    assert desk.told == [start]
    desk.at(start + RECHECK_S)
    desk.at(start + RECHECK_S + 1)
    assert desk.told == [start, start + RECHECK_S]
    assert desk.worried()
    desk.at(start + RECHECK_S + PATIENCE_S)
    assert not desk.worried()
    assert not desk.twin.here
    desk.at(start + 3 * RECHECK_S)
    assert len(desk.told) == 2


def test_two_that_hear_each_other_come_to_rest() -> None:
    one, two = Desk("one"), Desk("two")
    words = [(two, "one")]  # who hears whom
    said = 0
    while words:
        hearer, speaker = words.pop()
        before = len(hearer.told)
        hearer.hear(info(speaker))
        if len(hearer.told) > before:
            said += 1
            words.append((one, "two") if hearer is two else (two, "one"))
    assert one.worried()
    assert two.worried()
    assert said == 2
