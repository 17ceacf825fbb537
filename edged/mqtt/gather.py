"""A paho client that writes when told to, and then everything at once.

paho gives the socket one packet after the other. Killed between a reply and the receipt behind
it, we would send that reply again after the restart; one write has no such gap.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

# On close: reset the connection and forget what the network has not taken.
NO_LINGER = struct.pack("ii", 1, 0)
# More than any packet of ours, less than what a socket that stands still should cost.
MAX_GATHERED_BYTES = 512 * 1024


class GatheringClient(Client):
    """Keeps what paho writes until `flush`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._gathered = bytearray()
        self._leaving = False

    def flush(self) -> None:
        """Write all packets queued so far; what the socket does not take waits."""
        self.loop_write()
        self._write()

    def disconnect(
        self, reasoncode: ReasonCode | None = None, properties: Properties | None = None
    ) -> MQTTErrorCode:
        """Say goodbye: what is written before it shall still arrive."""
        self._leaving = True
        return super().disconnect(reasoncode, properties)

    def drop(self) -> None:
        """Close the socket without a goodbye."""
        self._sock_close()

    def want_write(self) -> bool:
        """Whether to be woken when the socket takes bytes."""
        return bool(self._gathered) or super().want_write()

    def loop_write(self) -> MQTTErrorCode:
        """Take over the packets queued; paho calls it where it would write."""
        if len(self._gathered) >= MAX_GATHERED_BYTES:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        return super().loop_write()

    def _sock_send(self, buf: bytes | bytearray) -> int:
        self._gathered += buf
        return len(buf)

    def _sock_close(self) -> None:
        if self._leaving:
            self._write()
        elif isinstance(self._sock, socket.socket):
            # A reply that arrives after its line was given up would meet the one sent again.
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._gathered.clear()
        super()._sock_close()

    def _write(self) -> None:
        try:
            while self._gathered and self._sock is not None:
                del self._gathered[: super()._sock_send(self._gathered)]
        except OSError:
            # BlockingIOError: the rest waits. Any other: reading will find the line broken.
            return
