"""One connection to the broker, from CONNECT to its end, as a small state machine.

The network thread calls `drive`. Everything else is called under the session's lock.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from edged.mqtt import receipts
from edged.mqtt.connect import OFFLINE, ONLINE, keepalive
from edged.mqtt.failure import Failure
from edged.mqtt.packet import Connected, Granted, Incoming, Outgoing, Refused, Settled, Taken
from edged.mqtt.settling import Settling
from edged.mqtt.wire import SILENT, ConnAck, Lost, Note, PubAck, SubAck, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.mqtt.desk import Desk
    from edged.mqtt.outbox import Entry

NO_ANSWER = Failure(code="no_answer", text="the broker takes the connection but does not answer")
# The broker sends a retained message right behind the SUBACK; if none came by then, none is.
RECEIPT_WAIT_S = 1.0
# What is held meanwhile beside requests, which Receive Maximum bounds: a few cancels and commands.
HELD_SPARE = 32
# A refused subscription is asked for again: whoever mends the ACL need not restart us.
RESUBSCRIBE_S = 30.0
# Nothing needs us sooner than the keepalive; this is how late its checks may be.
IDLE_S = 2.0
IDLE_SHARE = 0.125
# While a connection is made or ended, others wait for us.
BUSY_S = 0.1
LEAVE_S = 0.5


class Phase(Enum):
    """Where a connection is in its life."""

    OPENING = auto()  # CONNECT is sent
    SUBSCRIBING = auto()  # CONNACK came; waiting for SUBACK and, perhaps, the receipts
    UP = auto()
    CLOSING = auto()  # `offline` is published; waiting for the last PUBACK
    LEAVING = auto()  # DISCONNECT is queued
    ENDED = auto()


class Link:
    """A connection and its number."""

    def __init__(self, desk: Desk, number: int) -> None:
        self.number = number
        self.was_up = False
        self._desk = desk
        self._wire = Wire(desk.config, desk.topics, number)
        self._phase = Phase.OPENING
        self._failure: Failure | None = None
        self._deadline = 0.0
        self._session_present = False
        self._packet_limit = 0
        self._asked: dict[int, tuple[str, ...]] = {}
        self._denied: set[str] = set()
        self._retry_at = 0.0
        self._grouped = False  # in the fleet's group, as far as we asked for it
        self._receipt_until: float | None = None  # None: not waiting for a list
        most = desk.receive_maximum + HELD_SPARE if desk.topics.facts else 0
        self._settling = Settling(most)
        self._settle_at = 0.0
        self._idle_s = min(IDLE_S, keepalive(desk.config) * IDLE_SHARE)

    @property
    def up(self) -> bool:
        """Whether messages flow."""
        return self._phase is Phase.UP

    def drive(self, password: bytes | None) -> Failure | None:
        """Live from CONNECT to the end; why it ended, None if we wanted it."""
        try:
            failure = self._wire.open(password, self._desk.receive_maximum)
            if failure is not None:
                return failure
            self._deadline = self._now() + self._desk.config.connect_timeout_s
            while self._phase is not Phase.ENDED:
                self._step()
        finally:
            with self._desk.lock:
                self._phase = Phase.ENDED
                self._wire.close()
        return self._failure

    def publish(self, outgoing: Outgoing) -> None:
        """Send a message with QoS 0 now or never."""
        if self._phase is not Phase.UP or self._wire.clogged():
            self._desk.dropped_out += 1
        else:
            self._wire.publish(outgoing)

    def flush(self) -> None:
        """Write what the outbox has ready."""
        if self._phase not in {Phase.UP, Phase.CLOSING}:
            return
        while (entry := self._desk.outbox.next()) is not None:
            self._write(entry)
        for mid in self._desk.outbox.due():
            self._wire.acknowledge(mid)

    def write(self) -> None:
        """Bring on the line what another thread than ours published."""
        if self._phase in {Phase.UP, Phase.CLOSING}:
            self._wire.write()

    def share(self) -> None:
        """Do what the desk says of the fleet's group, at once if messages flow."""
        if self._phase is Phase.UP:
            self._regroup()
            self._wire.wake()

    def close(self, deadline: float) -> None:
        """Announce `offline` and leave, at `deadline` (monotonic seconds) at the latest."""
        if self._phase is Phase.UP:
            self._desk.announce(OFFLINE)
            self._phase, self._deadline = Phase.CLOSING, deadline
            self.flush()
        elif self._phase in {Phase.OPENING, Phase.SUBSCRIBING}:
            self._leave(with_will=True)
        if self._phase is not Phase.ENDED:
            self._wire.wake()

    def _now(self) -> float:
        return self._desk.clock.monotonic()

    def _step(self) -> None:
        notes = self._wire.pump(self._patience())
        with self._desk.lock:
            for note in notes:
                self._handle(note)
            self._tick(self._now())
            self.flush()
            # Under the lock: nobody is between a reply and its receipt.
            self._wire.flush()
        if self._desk.courier.full:
            self._desk.courier.wait_for_room()

    def _patience(self) -> float:
        if self._phase is Phase.UP:
            return self._idle_s
        return max(0.0, min(BUSY_S, self._deadline - self._now()))

    def _handle(self, note: Note) -> None:
        match note:
            case Incoming():
                self._on_message(note)
            case PubAck(mid, refused):
                self._on_puback(mid, refused)
            case SubAck(mid, refusals):
                self._on_suback(self._asked.pop(mid, ()), refusals)
            case ConnAck():
                self._on_connack(note)
            case Lost(failure):
                self._on_lost(failure)

    def _on_lost(self, failure: Failure) -> None:
        if self._phase is Phase.LEAVING:
            self._end(None)
        elif self._phase is Phase.OPENING and failure is SILENT:
            self._end(NO_ANSWER)  # paho's keepalive was shorter than our patience
        else:
            self._end(failure)

    def _tick(self, now: float) -> None:
        match self._phase:
            case Phase.OPENING | Phase.SUBSCRIBING if now >= self._deadline:
                self._end(NO_ANSWER)
            case Phase.SUBSCRIBING if self._receipt_until is not None:
                if now >= self._receipt_until:
                    self._on_receipts(())
            case Phase.UP if not self._settling.over and now >= self._settle_at:
                self._settle()
            case Phase.UP if self._grouped != self._desk.shares:  # changed while it was coming up
                self._regroup()
            case Phase.UP if self._denied and now >= self._retry_at:
                everything = self._desk.filters
                self._subscribe({name: everything[name] for name in self._denied})
            case Phase.CLOSING if not self._desk.outbox:
                self._leave(with_will=False)
            case Phase.CLOSING if now >= self._deadline:
                self._leave(with_will=True)
            case Phase.LEAVING if not self._wire.alive or now >= self._deadline:
                self._end(None)

    def _end(self, failure: Failure | None) -> None:
        if self._phase is not Phase.ENDED:
            self._phase, self._failure = Phase.ENDED, failure

    def _leave(self, *, with_will: bool) -> None:
        self._phase, self._deadline = Phase.LEAVING, self._now() + LEAVE_S
        self._wire.leave(with_will=with_will)

    def _on_connack(self, note: ConnAck) -> None:
        if note.failure is not None:
            self._end(note.failure)
        if self._phase is not Phase.OPENING:
            return
        self._phase = Phase.SUBSCRIBING
        self._session_present = note.session_present
        self._packet_limit = note.packet_limit
        self._desk.outbox.begin(note.receive_maximum)
        if self._desk.outbox.replies:
            self._receipt_until = self._deadline
            self._asked[self._wire.fetch(self._desk.topics.receipt)] = ()
        self._subscribe(self._desk.filters)
        self._grouped = self._desk.shares
        # A session that goes on may still be in a group that was left meanwhile.
        if note.session_present and not self._desk.shares:
            self._regroup()

    def _regroup(self) -> None:
        group, self._grouped = self._desk.topics.group, self._desk.shares
        if self._grouped:
            self._subscribe({group: self._desk.filters[group]})
        else:
            self._denied.discard(group)
            self._wire.unsubscribe(group)

    def _subscribe(self, filters: Mapping[str, int]) -> None:
        self._retry_at = self._now() + RESUBSCRIBE_S
        self._asked[self._wire.subscribe(filters)] = tuple(filters)

    def _on_suback(self, filters: tuple[str, ...], refusals: tuple[str | None, ...]) -> None:
        if not filters and self._receipt_until is not None:
            if refusals == (None,):
                self._receipt_until = self._now() + RECEIPT_WAIT_S
            else:
                self._on_receipts(())
        for name, refused in zip(filters, refusals, strict=False):
            if refused is not None and name in self._desk.filters.keys() - self._denied:
                self._denied.add(name)
                self._desk.courier.send(Refused(topic=name, reason=refused))
            elif refused is None and name in self._denied:
                self._denied.remove(name)
                self._desk.courier.send(Granted(topic=name))
        self._rise()

    def _on_receipts(self, listed: tuple[str, ...]) -> None:
        """What the broker took before this connection need not be sent again."""
        self._receipt_until = None
        self._wire.unsubscribe(self._desk.topics.receipt)
        self._desk.receipts.adopt(listed)
        for tag in self._desk.outbox.withdraw(lambda tag: receipts.digest(tag) in listed):
            self._desk.courier.send(Taken(tag=tag))
        self._rise()

    def _rise(self) -> None:
        if self._phase is not Phase.SUBSCRIBING or self._asked or self._receipt_until is not None:
            return
        self._phase, self.was_up = Phase.UP, True
        self._settle_at = self._now() + RECEIPT_WAIT_S
        self._desk.announce(ONLINE)
        self.flush()
        refused = tuple(sorted(self._denied))
        self._desk.courier.send(
            Connected(
                connection=self.number, session_present=self._session_present, refused=refused
            )
        )

    def _on_message(self, message: Incoming) -> None:
        desk = self._desk
        if message.topic == desk.topics.receipt:
            if self._receipt_until is not None:
                self._on_receipts(receipts.parse(message.payload))
        elif (meaning := desk.topics.parse(message.topic)) is None:
            if message.qos:  # a subscription that an older version left in the session
                desk.outbox.acknowledge(message.mid)
        else:
            for each in self._settling.sift(message, fact=meaning.kind == "fact"):
                desk.take_in(each)

    def _settle(self) -> None:
        if self._settling.over:
            return
        self._desk.courier.send(Settled(connection=self.number))
        for each in self._settling.end():
            self._desk.take_in(each)

    def _on_puback(self, mid: int, refused: str | None) -> None:
        outgoing = self._desk.outbox.confirmed(mid)
        if outgoing is not None:  # or the broker confirms what it has confirmed before
            # What was published behind the subscriptions is confirmed behind what they brought.
            self._settle()
            self._desk.settle(outgoing, refused)

    def _write(self, entry: Entry) -> None:
        outgoing = entry.outgoing
        if outgoing.size > self._packet_limit:
            # Sent, it would end this connection and every one after it.
            self._desk.outbox.discard(entry)
            self._desk.settle(outgoing, "larger than the broker's packet limit")
            return
        self._desk.outbox.sent(entry, self._wire.publish(outgoing))
        if outgoing.tag is not None:
            written = self._desk.receipts.written(outgoing.tag)
            topic = self._desk.topics.receipt
            self._wire.publish(Outgoing(topic=topic, payload=written, retain=True))
