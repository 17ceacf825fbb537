from __future__ import annotations

from typing import Any

from edged.daemon.door import BATCH, INBOX, SOFT_INBOX, Door
from edged.daemon.inbox import Inbox
from edged.daemon.notes import Notes
from edged.engine.frames import Delta
from edged.mqtt.packet import Incoming
from tests.daemon.rooms import Rooms
from tests.daemon.test_pacing import EFFORT


class Desk:
    """A door to an inbox that nobody empties."""

    def __init__(self) -> None:
        rooms = self.rooms = Rooms()
        self.inbox = Inbox()
        notes = Notes(rooms.journal, rooms.meter, rooms.health, rooms.sense)
        self.offer = Door(self.inbox, rooms.topics, notes).offer

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
