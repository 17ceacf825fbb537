"""One paho client on one connection, reduced to verbs and notes.

paho's callbacks only take notes: paho holds locks of its own while it calls them, so taking
ours there could deadlock with a thread that publishes. `pump` returns the notes.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edged.mqtt.connect import build, explain, incoming, open_line, publish_properties
from edged.mqtt.failure import FAILURE_FROM, Failure, by_reason
from edged.mqtt.packet import MAX_PACKET_BYTES, Incoming, Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.client import MQTTMessageInfo as Info
    from paho.mqtt.properties import Properties

    from edged.mqtt.gather import GatheringClient
    from edged.mqtt.topics import Topics
    from edged.settings import MqttConfig

LOST = Failure(code="connection_lost", text="the connection broke")
SILENT = Failure(code="keepalive", text="the broker is silent")
KEEPALIVE_CODE = 141
# Deltas and telemetry that the network has not taken: minutes of them, less than 1 MiB.
MAX_UNWRITTEN = 1000
DISCONNECT_WITH_WILL = 4


class ConnAck(Struct, frozen=True):
    """The broker's answer to CONNECT.

    Attributes:
        receive_maximum: Messages the broker takes unconfirmed; None for no limit.
        packet_limit: Bytes of the largest packet it takes.
    """

    failure: Failure | None
    session_present: bool
    receive_maximum: int | None
    packet_limit: int


class SubAck(Struct, frozen=True):
    """For each filter of a SUBSCRIBE why it was refused; None where it was not."""

    mid: int
    refusals: tuple[str | None, ...]


class PubAck(Struct, frozen=True):
    """The broker has the message, or says why it will not have it."""

    mid: int
    refused: str | None


class Lost(Struct, frozen=True):
    """The connection is over."""

    failure: Failure


Note = ConnAck | SubAck | PubAck | Lost | Incoming


class Wire:
    """Verbs are thread-safe as paho's are; `open`, `pump` and `close` are the network thread's.

    They queue: in the network thread `flush` is to follow, in another one `write`.
    """

    def __init__(self, config: MqttConfig, topics: Topics, number: int) -> None:
        self._config = config
        self._topics = topics
        self._number = number
        self._five = config.protocol == 5  # noqa: PLR2004 - the protocol's name is a number
        self._notes: deque[Note] = deque()
        self._nameless: deque[int] = deque()
        self._opened = False
        self._unwritten: deque[Info] = deque()
        self._client: GatheringClient

    @property
    def alive(self) -> bool:
        """Whether the socket is open."""
        return self._client.socket() is not None

    def open(self, password: bytes | None, receive_maximum: int) -> Failure | None:
        """Connect and send CONNECT; blocks, within the connect timeout."""
        try:
            self._client = client = build(self._config, self._topics, password)
            self._opened = True
            client.on_connect = self._on_connect
            client.on_disconnect = self._on_disconnect
            client.on_subscribe = self._on_subscribe
            client.on_confirm = self._on_confirm
            client.on_message = self._on_message
            client.on_socket_open = _no_delay
            # With this set paho never writes by itself.
            client.on_socket_register_write = _nothing
            open_line(client, self._config, receive_maximum)
        except (OSError, ValueError) as error:
            return explain(error, self._config)
        return None

    def flush(self) -> None:
        """Write what was queued since the last time, in one piece; the network thread's."""
        self._client.flush()

    def write(self) -> None:
        """The same from another thread, or let the network thread do it."""
        # Of TLS one thread at a time may read or write.
        if self._config.tls is None:
            self._client.flush()
        if self._client.want_write():
            self._client.wake()

    def wake(self) -> None:
        """End a `pump` that waits."""
        if self._opened:
            self._client.wake()

    def pump(self, timeout: float) -> list[Note]:
        """Read what there is, waiting at most `timeout` seconds for it or for work."""
        try:
            code = self._client.turn(timeout)
        except Exception as error:  # noqa: BLE001 - paho's parser raises whatever it stumbles on
            name = type(error).__name__
            failure = Failure(code="protocol", text=f"the broker sent a malformed packet ({name})")
            self._notes.append(Lost(failure))
            code = MQTTErrorCode.MQTT_ERR_SUCCESS
        while self._nameless:
            self._client.ack(self._nameless.popleft(), 1)
        # One by one: another thread that writes takes notes as well.
        notes = [self._notes.popleft() for _ in range(len(self._notes))]
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            notes.append(Lost(LOST))
        return notes

    def close(self) -> None:
        """Drop the socket without a DISCONNECT, and all that refers to us."""
        if self._opened:
            client = self._client
            client.drop()
            client.on_connect = client.on_disconnect = client.on_subscribe = None
            client.on_confirm = client.on_message = None

    def subscribe(self, filters: Mapping[str, int]) -> int:
        """Subscribe to filters with their QoS; the packet id under which the `SubAck` will come."""
        # Retained requests are only warned about, so once per session is enough. What is retained
        # as our info tells at each connection whether another one of our name was here, and on
        # topics of others how things are now.
        once = {"retainHandling": SubscribeOptions.RETAIN_SEND_IF_NEW_SUB}
        always = {"retainHandling": SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE}
        kept = self._topics.kept
        return self._subscribe(filters, lambda name: always if name in kept else once)

    def fetch(self, topic: str) -> int:
        """Subscribe to a topic of ours for its retained message alone; the packet id as above."""
        return self._subscribe({topic: 0}, lambda _: {"noLocal": True})

    def _subscribe(
        self, filters: Mapping[str, int], options: Callable[[str], Mapping[str, Any]]
    ) -> int:
        if self._five:
            asked: list[tuple[str, Any]] = [
                (name, SubscribeOptions(qos=qos, **options(name))) for name, qos in filters.items()
            ]
        else:
            asked = list(filters.items())
        return self._client.subscribe(asked)[1] or 0

    def unsubscribe(self, name: str) -> None:
        """Nobody waits for the answer."""
        self._client.unsubscribe(name)

    def publish(self, outgoing: Outgoing) -> int:
        """Queue it for writing; the packet id under which the `PubAck` will come."""
        info = self._client.publish(
            outgoing.topic,
            outgoing.payload,
            outgoing.qos,
            outgoing.retain,
            publish_properties(outgoing) if self._five else None,
        )
        if outgoing.qos == 0 and info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._unwritten.append(info)
        return info.mid

    def clogged(self) -> bool:
        """Whether so much QoS 0 is unwritten that more would be pointless."""
        while self._unwritten and self._unwritten[0].is_published():
            self._unwritten.popleft()
        return len(self._unwritten) >= MAX_UNWRITTEN

    def acknowledge(self, mid: int) -> None:
        """Confirm a message with QoS 1."""
        self._client.ack(mid, 1)

    def leave(self, *, with_will: bool) -> None:
        """Say goodbye; with the will, the broker announces that we are gone."""
        if not self._opened:
            return
        if not with_will:
            self._client.disconnect()
        elif self._five:
            reason = ReasonCode(PacketTypes.DISCONNECT, identifier=DISCONNECT_WITH_WILL)
            self._client.disconnect(reason)
        else:
            self.close()  # 3.1.1 has no such goodbye, but its broker notices the silence

    def _on_connect(
        self,
        _client: Client,
        _data: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        failure = by_reason(reason.value, str(reason)) if reason.is_failure else None
        self._notes.append(
            ConnAck(
                failure,
                bool(flags.session_present),
                getattr(properties, "ReceiveMaximum", None),
                getattr(properties, "MaximumPacketSize", MAX_PACKET_BYTES * 1024),
            )
        )

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            failure = by_reason(reason.value, str(reason))
        else:
            failure = SILENT if reason.value == KEEPALIVE_CODE else LOST
        self._notes.append(Lost(failure))

    def _on_subscribe(
        self, _client: Client, _data: object, mid: int, reasons: Sequence[Any], *_: object
    ) -> None:
        refusals = tuple(str(r) if r.value >= FAILURE_FROM else None for r in reasons)
        self._notes.append(SubAck(mid, refusals))

    def _on_confirm(self, mid: int, reason: ReasonCode) -> None:
        self._notes.append(PubAck(mid, str(reason) if reason.value >= FAILURE_FROM else None))

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            self._notes.append(incoming(message, self._number))
        except UnicodeDecodeError:  # a topic that nobody can have meant for us
            if message.qos:
                self._nameless.append(message.mid)


def _nothing(*_: object) -> None:
    """Whoever queues a packet says when to write."""


def _no_delay(_client: Client, _data: object, line: Any) -> None:
    # Without this the receipt behind a reply may wait for the reply's TCP acknowledgement,
    # and the gap between the two is the one in which a reply could be sent twice.
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
