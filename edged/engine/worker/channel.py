"""The child's end of the socket."""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING

from edged.engine.codec import encode, to_child

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from edged.engine.frames import Frame, ToChild

_READ_BYTES = 1 << 16
# Silence longer than this makes a supervisor with a short stall timeout nervous.
BEAT_S = 1.0


class Channel:
    """Frames over a blocking socket; the process ends when the other end is closed.

    Args:
        sock: One end of a socketpair.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._decoder = to_child()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._held: bytearray | None = None
        self.sent_at = time.monotonic()

    def send(self, frame: Frame) -> None:
        """Write one frame, waiting for the daemon to read if need be; or keep it, after `hold`."""
        data = encode(frame)
        if self._held is None:
            self._write(data)
        else:
            self._held += data
        self.sent_at = time.monotonic()

    def hold(self) -> None:
        """Collect frames until `release`, which is to follow soon.

        Each write wakes the daemon, on a core that all threads of ours wait for.
        """
        if self._held is None:
            self._held = bytearray()

    def release(self) -> None:
        """Write what was collected."""
        held, self._held = self._held, None
        if held:
            self._write(held)

    def _write(self, data: bytes | bytearray) -> None:
        try:
            self._sock.sendall(data)
        except ConnectionError:
            os._exit(0)

    def receive(self, timeout_s: float | None) -> Iterator[ToChild]:
        """The frames that arrive within the timeout; None waits without one.

        Raises:
            FrameError: While iterating: the daemon broke the protocol.
        """
        if not self._poll.poll(None if timeout_s is None else timeout_s * 1000.0):
            return iter(())
        try:
            data = self._sock.recv(_READ_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            # Nobody is left to answer: native state needs no goodbye, and an exit handler that
            # hangs would keep gigabytes of memory.
            os._exit(0)
        return self._decoder.feed(data)
