from __future__ import annotations

from typing import Any

from edged.daemon.door import BATCH, INBOX, SOFT_INBOX, Door
from edged.daemon.facts import FactKeeper
from edged.daemon.inbox import Inbox
from edged.daemon.notes import Notes
from edged.engine.frames import Delta
from edged.mqtt.packet import Connected, Incoming
from edged.mqtt.topics import Topics
from edged.serving.facts import REPLAY_S
from tests.daemon.rooms import Rooms
from tests.daemon.test_facts import PERSONA, REQUEST
from tests.daemon.test_pacing import EFFORT


class Desk:
    """A door to an inbox that nobody empties."""

    def __init__(self) -> None:
        rooms = self.rooms = Rooms()
        self.inbox = Inbox()
        notes = Notes(rooms.journal, rooms.meter, rooms.health, rooms.sense)
        facts = FactKeeper((PERSONA,), rooms.clock, notes)
        self.told = facts.told
        self.offer = Door(self.inbox, Topics("n", facts=["home/hall"]), notes, facts).offer

    def fill(self, count: int) -> None:
        for number in range(count):
            self.inbox.tell(number)


def message(leaf: str, qos: int = 1) -> Incoming:
    fields: dict[str, Any] = {"retain": False, "dup": False, "mid": 1, "connection": 1}
    return Incoming(topic=f"edged/n/{leaf}", payload=b"x", qos=qos, **fields)


DELTA = Delta(key="k", text="a", tokens=1)


def test_a_cancel_overtakes_a_flood_and_not_the_request_it_may_be_about() -> None:
    desk = Desk()
    desk.offer(message("request"))
    desk.offer(message("cancel"))
    assert desk.inbox.asked == 2
    for _ in range(BATCH):
        desk.offer(message("request"))
    desk.offer(message("cancel"))
    assert desk.inbox.asked == BATCH + 2
    assert desk.inbox.take_now(1) == [message("cancel")]


def test_what_may_be_lost_is_dropped_first_and_told() -> None:
    desk = Desk()
    desk.fill(SOFT_INBOX)
    desk.offer(DELTA)
    desk.offer(EFFORT)
    desk.offer(message("request", qos=0))
    assert len(desk.inbox) == SOFT_INBOX
    assert [line for line in desk.rooms.lines if "Delta dropped" in line]
    desk.offer(message("request"))
    assert len(desk.inbox) == SOFT_INBOX + 1


def test_at_the_last_bound_only_our_own_items_come_in() -> None:
    desk = Desk()
    desk.fill(INBOX)
    desk.offer(message("request"))
    desk.offer(message("cancel"))
    assert len(desk.inbox) == INBOX
    desk.offer("a tick")
    assert len(desk.inbox) == INBOX + 1


def test_what_a_field_reads_is_heard_at_once_and_fills_no_inbox() -> None:
    desk = Desk()
    desk.fill(INBOX)
    fields: dict[str, Any] = {"qos": 0, "retain": True, "dup": False, "mid": 0, "connection": 1}
    for word in (b"dark", b"lit"):
        desk.offer(Incoming(topic="home/hall", payload=word, **fields))
    assert len(desk.inbox) == INBOX
    assert desk.told(REQUEST, 0.0).messages[-1].content == "The hall is lit.\n\nHow is it?"
    desk.offer(Connected(connection=2, session_present=True))
    desk.rooms.clock.advance(REPLAY_S + 1)
    now = desk.rooms.clock.monotonic()
    assert desk.told(REQUEST, now).messages[-1].content == "The hall is unknown.\n\nHow is it?"
