"""Everything with QoS 1 that the broker has not confirmed yet, in order, over reconnects."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edged.mqtt.packet import Outgoing

# What mosquitto allows by default; more would only sit in the broker's memory instead of ours.
MAX_IN_FLIGHT = 20
# Kept free for the urgent: in a flood the confirmations that free the others come late.
RESERVED = 4
# Replies the broker has not confirmed before we stop confirming its requests. With requests
# unconfirmed its Receive Maximum stops the flood, so the outbox cannot grow much beyond this.
OUTBOX_HIGH = 256
# Events and command results: the oldest go first, because they are news and not promises.
MAX_UNTAGGED = 1000


class Entry(Struct, eq=False):
    """A message and its place in the order in which it was put."""

    seq: int
    outgoing: Outgoing


class Outbox:
    """Messages until their PUBACK, and acknowledgements until their time.

    What is urgent has a lane of its own: a flood's refusals do not delay an answer.

    Replies (messages with a tag) are never dropped. Of a retained topic only the newest
    message waits. Of the rest at most `MAX_UNTAGGED` wait.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._window = MAX_IN_FLIGHT
        self._seq = 0
        self._urgent: deque[Entry] = deque()
        self._waiting: deque[Entry] = deque()
        self._in_flight: dict[int, Entry] = {}
        self._retained: dict[str, Entry] = {}
        self._replies: set[tuple[str, str]] = set()
        self._untagged = 0
        self._acks: deque[tuple[int, int]] = deque()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._waiting) + len(self._in_flight)

    @property
    def replies(self) -> int:
        """Replies that the broker has not confirmed."""
        return len(self._replies)

    @property
    def congested(self) -> bool:
        """So many replies are unconfirmed that no more requests should come."""
        return self.replies > OUTBOX_HIGH

    def begin(self, receive_maximum: int | None) -> None:
        """A new connection: everything unconfirmed is to be sent again, in its old order.

        Args:
            receive_maximum: How many messages the broker takes unconfirmed; None for no limit.
        """
        self._window = max(1, min(MAX_IN_FLIGHT, receive_maximum or MAX_IN_FLIGHT))
        self._acks.clear()
        unconfirmed = (*self._in_flight.values(), *self._urgent, *self._waiting)
        again = sorted(unconfirmed, key=lambda e: e.seq)
        self._in_flight.clear()
        self._urgent.clear()
        self._waiting.clear()
        self._untagged = 0
        self._retained = {e.outgoing.topic: e for e in again if e.outgoing.retain}
        for entry in again:
            if not entry.outgoing.retain or self._retained[entry.outgoing.topic] is entry:
                self._enqueue(entry)

    def put(self, outgoing: Outgoing) -> None:
        """Keep a message with QoS 1 until the broker confirms it."""
        if outgoing.tag is not None:
            key = (outgoing.tag, outgoing.topic)
            if key in self._replies:
                return  # it is on its way already
            self._replies.add(key)
        elif outgoing.retain and (older := self._retained.get(outgoing.topic)) is not None:
            older.outgoing = outgoing
            return
        self._seq += 1
        entry = Entry(self._seq, outgoing)
        if outgoing.retain:
            self._retained[outgoing.topic] = entry
        self._enqueue(entry)

    def next(self) -> Entry | None:
        """The next message to write, if the broker takes one more; follow with `sent`."""
        lane = self._urgent or self._waiting
        window = self._window if self._urgent else max(1, self._window - RESERVED)
        if not lane or len(self._in_flight) >= window:
            return None
        entry = lane.popleft()
        if entry.outgoing.retain:
            del self._retained[entry.outgoing.topic]
        elif entry.outgoing.tag is None:
            self._untagged -= 1
        return entry

    def sent(self, entry: Entry, mid: int) -> None:
        """The entry was written with this packet id."""
        self._in_flight[mid] = entry

    def discard(self, entry: Entry) -> None:
        """The entry from `next` can never be written: forget it."""
        self._settle(entry)

    def confirmed(self, mid: int) -> Outgoing | None:
        """The broker's PUBACK; None if nothing has this packet id."""
        entry = self._in_flight.pop(mid, None)
        return None if entry is None else self._settle(entry)

    def withdraw(self, taken: Callable[[str], bool]) -> Iterator[str]:
        """Drop waiting replies whose tag the broker took before; yields those tags."""
        for lane in (self._urgent, self._waiting):
            for entry in tuple(lane):
                tag = entry.outgoing.tag
                if tag is not None and taken(tag):
                    lane.remove(entry)
                    self._settle(entry)
                    yield tag

    def acknowledge(self, mid: int) -> None:
        """A request with this packet id may be confirmed, behind the replies put before."""
        self._acks.append((mid, self._seq))

    def due(self) -> Iterator[int]:
        """Packet ids to confirm now."""
        while self._acks and not self.congested:
            mid, seq = self._acks[0]
            if any(lane[0].seq <= seq for lane in (self._urgent, self._waiting) if lane):
                return
            self._acks.popleft()
            yield mid

    def _enqueue(self, entry: Entry) -> None:
        if entry.outgoing.urgent:
            self._urgent.append(entry)
            return
        self._waiting.append(entry)
        if entry.outgoing.tag is None and not entry.outgoing.retain:
            self._untagged += 1
            if self._untagged > MAX_UNTAGGED:
                self._drop_oldest_untagged()

    def _drop_oldest_untagged(self) -> None:
        plain = (e for e in self._waiting if e.outgoing.tag is None and not e.outgoing.retain)
        self._waiting.remove(next(plain))
        self._untagged -= 1
        self.dropped += 1

    def _settle(self, entry: Entry) -> Outgoing:
        outgoing = entry.outgoing
        if outgoing.tag is not None:
            self._replies.discard((outgoing.tag, outgoing.topic))
        return outgoing
