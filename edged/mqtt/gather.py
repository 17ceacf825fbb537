"""A paho client that writes when told to, and then everything at once.

paho gives the socket one packet after the other. Killed between a reply and the receipt behind
it, we would send that reply again after the restart; one write has no such gap.
"""

from __future__ import annotations

from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

# More than any packet of ours, less than what a socket that stands still should cost.
MAX_GATHERED_BYTES = 512 * 1024


class GatheringClient(Client):
    """Keeps what paho writes until `flush`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._gathered = bytearray()

    def flush(self) -> None:
        """Write all packets queued so far; what the socket does not take waits."""
        self.loop_write()
        self._write()

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
        # A DISCONNECT is followed at once by the end of the socket.
        self._write()
        self._gathered.clear()
        super()._sock_close()

    def _write(self) -> None:
        try:
            while self._gathered and self._sock is not None:
                del self._gathered[: super()._sock_send(self._gathered)]
        except OSError:
            # BlockingIOError: the rest waits. Any other: reading will find the line broken.
            return
