"""What outlives a connection: the outbox, the receipts, the way to the asyncio loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from edged.mqtt.connect import WILL_QOS
from edged.mqtt.packet import MAX_FACT_BYTES, Incoming, Outgoing, Refused, Taken

if TYPE_CHECKING:
    import threading

    from edged.clock import Clock
    from edged.mqtt.courier import Courier
    from edged.mqtt.outbox import Outbox
    from edged.mqtt.receipts import Receipts
    from edged.mqtt.topics import Topics
    from edged.settings import MqttConfig


class Desk(Struct, eq=False):
    """Shared by the two threads of a session; whoever touches it holds `lock`."""

    config: MqttConfig
    topics: Topics
    clock: Clock
    courier: Courier
    outbox: Outbox
    receipts: Receipts
    lock: threading.RLock
    receive_maximum: int
    shares: bool = False  # in the fleet's group, or to be once there is a connection
    dropped_in: int = 0
    dropped_out: int = 0

    @property
    def filters(self) -> dict[str, int]:
        """What we want to be subscribed to, each with its QoS."""
        group = {self.topics.group: 1} if self.shares else {}
        return self.topics.subscriptions() | group

    def announce(self, payload: bytes) -> None:
        """Publish our availability."""
        topic = self.topics.availability
        self.outbox.put(Outgoing(topic=topic, payload=payload, qos=WILL_QOS, retain=True))

    def take_in(self, message: Incoming) -> None:
        """Pass a message on; a request with QoS 0 only if the loop and the broker keep up."""
        meaning = self.topics.parse(message.topic)
        size = len(message.payload)
        if meaning is not None and meaning.kind == "fact" and size > MAX_FACT_BYTES:
            message = replace(message, payload=b"", size=size)
        request = meaning is not None and meaning.kind == "request"
        if request and message.qos == 0 and (self.courier.full or self.outbox.congested):
            self.dropped_in += 1
        else:
            self.courier.send(message)

    def settle(self, outgoing: Outgoing, refused: str | None) -> None:
        """The broker's last word on a message: None if it took it."""
        if refused is not None:
            self.courier.send(Refused(topic=outgoing.topic, reason=refused))
        if outgoing.tag is not None:
            self.courier.send(Taken(tag=outgoing.tag, refused=refused))
