"""What the verbs need of a broker connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from edged.mqtt.packet import Incoming


class Link(Protocol):
    """A connection to the broker; see `edged.mqtt.client.Client`."""

    def subscribe(self, *topics: str) -> None:
        """Returns once the broker has taken all the subscriptions."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1) -> None:
        """Returns once the broker has taken the message (QoS 1)."""

    def receive(self, timeout: float) -> Incoming | None:
        """The next message, or None after `timeout` seconds."""


def decode_object(payload: bytes) -> dict[str, object]:
    """A JSON object, or an empty one where the payload is something else."""
    try:
        return msgspec.json.decode(payload, type=dict[str, object])
    except msgspec.DecodeError:
        return {}
