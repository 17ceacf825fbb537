"""As much of a WebSocket as asking Home Assistant one question after another needs (RFC 6455)."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

TIMEOUT_S = 30.0
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
MASKED, FINAL = 0x80, 0x80
SHORT, LONG = 126, 127  # how a length beyond 125 is announced: two bytes follow, or eight


class WebSocket:
    """Text frames with JSON in them, to 127.0.0.1."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self._file = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        )
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = self._file.readline()
        assert b" 101 " in status, status
        while self._file.readline().strip():
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self._socket.close()

    def send(self, message: dict[str, Any]) -> None:
        self._frame(TEXT, json.dumps(message).encode())

    def receive(self) -> Any:
        """The next message."""
        text = b""
        while True:
            first, second = self._file.read(2)
            size = second
            if second == SHORT:
                (size,) = struct.unpack(">H", self._file.read(2))
            elif second == LONG:
                (size,) = struct.unpack(">Q", self._file.read(8))
            payload = self._file.read(size)
            code = first & 0x0F
            assert code != CLOSE, payload
            if code == PING:
                self._frame(PONG, payload)
            elif code <= TEXT:
                text += payload
                if first & FINAL:
                    return json.loads(text)

    def _frame(self, code: int, payload: bytes) -> None:
        size = len(payload)
        if size < SHORT:
            head = struct.pack(">BB", FINAL | code, MASKED | size)
        else:
            head = struct.pack(">BBQ", FINAL | code, MASKED | LONG, size)
        # a mask of nothing is a mask
        self._socket.sendall(head + bytes(4) + payload)
