"""A broker that does what the script says, byte by byte, to one client at a time."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, DISCONNECT = 1, 2, 3, 4, 8, 9, 14
TIMEOUT_S = 30.0  # a bound, not a wait: shared machines stall


class Packet(Struct, frozen=True):
    kind: int
    flags: int
    body: bytes

    @property
    def topic(self) -> str:
        """Of a PUBLISH."""
        (size,) = struct.unpack("!H", self.body[:2])
        return self.body[2 : 2 + size].decode()

    @property
    def mid(self) -> int:
        """Of a PUBLISH with QoS 1, and of the packets that begin with it."""
        start = 2 + len(self.topic) if self.kind == PUBLISH else 0
        mid: int = struct.unpack("!H", self.body[start : start + 2])[0]
        return mid


class Line:
    """One connection, seen from the broker."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw

    def read(self, *kinds: int) -> Packet:
        """The next packet of one of these kinds (none named: of any)."""
        while True:
            head = self._exactly(1)[0]
            size = shift = 0
            while True:
                byte = self._exactly(1)[0]
                size |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            packet = Packet(head >> 4, head & 0x0F, self._exactly(size))
            if not kinds or packet.kind in kinds:
                return packet

    def send(self, kind: int, body: bytes, flags: int = 0) -> None:
        assert len(body) < 128
        self._raw.sendall(bytes((kind << 4 | flags, len(body))) + body)

    def raw(self, data: bytes) -> None:
        self._raw.sendall(data)

    def connack(self, properties: bytes = b"", reason: int = 0) -> None:
        self.read(CONNECT)
        self.send(CONNACK, bytes((0, reason, len(properties))) + properties)

    def suback(self, *reasons: int) -> Packet:
        packet = self.read(SUBSCRIBE)
        self.send(SUBACK, struct.pack("!H", packet.mid) + b"\0" + bytes(reasons))
        return packet

    def puback(self, mid: int, reason: int = 0) -> None:
        self.send(PUBACK, struct.pack("!HB", mid, reason))

    def publish(self, topic: str, payload: bytes, mid: int) -> None:
        name = topic.encode()
        body = struct.pack("!H", len(name)) + name + struct.pack("!HB", mid, 0) + payload
        self.send(PUBLISH, body, flags=2)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._raw.recv(count - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data


class ScriptedBroker:
    """Runs the script on each connection; `failed` holds what the script raised."""

    def __init__(self, script: Callable[[Line], None]) -> None:
        self.failed: list[BaseException] = []
        self._script = script
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scripted", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(TIMEOUT_S)
        assert not self.failed, self.failed

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while not self._done.is_set():
                raw, _ = self._server.accept()
                raw.settimeout(TIMEOUT_S)
                with raw:
                    try:
                        self._script(Line(raw))
                    except OSError:
                        continue  # the client went away, as many tests want it
                    except BaseException as error:  # noqa: BLE001 - shown at the end
                        self.failed.append(error)
