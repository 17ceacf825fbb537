"""A paho client that writes when told to, and then everything at once, in whose thread it is told.

paho gives the socket one packet after the other. Killed between a reply and the receipt behind
it, we would send that reply again after the restart; one write has no such gap. And paho's `loop`
is woken by each packet: on cores that compute, a piece of an answer waits milliseconds for that.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

# On close: reset the connection and forget what the network has not taken.
NO_LINGER = struct.pack("ii", 1, 0)
# More than any packet of ours, less than what a socket that stands still should cost.
MAX_GATHERED_BYTES = 512 * 1024
CLOSED = -1


class GatheringClient(Client):
    """Keeps what paho writes until `flush`; `drop` ends it for good.

    Attributes:
        on_confirm: Told, in the network thread, of each packet that the broker has or refuses.
            paho's own `on_publish` is told of those with QoS 0 as well, in objects that cost more
            than all else about a piece of an answer.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.on_confirm: Callable[[int, ReasonCode], None] | None = None
        self._gathered = bytearray()
        self._leaving = False
        # Held while packets are taken over or written, never while waiting.
        self._writing = threading.RLock()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def flush(self) -> None:
        """Write all packets queued so far; what the socket does not take waits for `turn`."""
        with self._writing:
            self.loop_write()
            self._write()

    def wake(self) -> None:
        """Let a `turn` that waits in another thread end."""
        with self._writing:
            if self._bell != CLOSED:
                os.eventfd_write(self._bell, 1)

    def turn(self, timeout: float) -> MQTTErrorCode:
        """What paho's `loop` does, but woken by `wake` alone: wait, read, take over, look at times.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            OSError: The socket was closed meanwhile.
            ValueError: So it was.
        """
        line: Any = self._sock
        if line is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        unread = line.pending() if isinstance(line, ssl.SSLSocket) else 0
        writable = [line] if self.want_write() else []
        wait_s = 0.0 if unread else timeout
        ready, _, _ = select.select([line, self._bell], writable, [], wait_s)
        with self._writing:
            if self._bell in ready:
                os.eventfd_read(self._bell)
        if line in ready or unread:
            code = self.loop_read()
            if code or self._sock is None:
                return code
        self.loop_write()
        return self.loop_misc()

    def disconnect(
        self, reasoncode: ReasonCode | None = None, properties: Properties | None = None
    ) -> MQTTErrorCode:
        """Say goodbye: what is written before it shall still arrive."""
        self._leaving = True
        return super().disconnect(reasoncode, properties)

    def drop(self) -> None:
        """Close the socket without a goodbye."""
        with self._writing:
            self._sock_close()
            if self._bell != CLOSED:
                os.eventfd_write(self._bell, 1)  # who waits for it now is not told of the close
                os.close(self._bell)
                self._bell = CLOSED

    def want_write(self) -> bool:
        """Whether to be woken when the socket takes bytes."""
        return bool(self._gathered) or super().want_write()

    def loop_write(self) -> MQTTErrorCode:
        """Take over the packets queued; paho calls it where it would write."""
        with self._writing:
            if len(self._gathered) >= MAX_GATHERED_BYTES:
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            return super().loop_write()

    def _do_on_publish(
        self, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> MQTTErrorCode:
        if self.on_confirm is not None:
            self.on_confirm(mid, reason_code)
        return super()._do_on_publish(mid, reason_code, properties)

    def _sock_send(self, buf: bytes | bytearray) -> int:
        self._gathered += buf
        return len(buf)

    def _sock_close(self) -> None:
        with self._writing:
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
