"""A hub of model files on loopback, with a CDN beside it, that misbehaves on demand.

It speaks what the real one does: `/owner/name/resolve/revision/file` answers with a redirect to
another host and the file's size and sha256 in X-Linked-Size and X-Linked-Etag; ranges are served.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import socket
import socketserver
import ssl
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rig.certs import KeyPair

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ALWAYS = 1_000_000
PIECE = 65_536
BOMB = gzip.compress(bytes(32 << 20), 1)  # 32 MiB in 150 KiB


class Seen(NamedTuple):
    """One request as it came."""

    role: str
    path: str
    start: int | None
    headers: dict[str, str]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, hub: Hub, role: str, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub
        self.role = role
        self.tls = tls

    def get_request(self) -> tuple[Any, Any]:
        connection, address = self.socket.accept()
        if self.tls is not None:
            connection.settimeout(5)
            connection = self.tls.wrap_socket(connection, server_side=True)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what many tests are about."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.connection.settimeout(20)
        line = self.rfile.readline(65_536).decode("latin-1")
        headers = {}
        while (raw := self.rfile.readline(65_536).strip()) != b"":
            name, _, value = raw.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if not line:
            return
        wanted = headers.get("range", "").removeprefix("bytes=").partition("-")
        start = int(wanted[0]) if wanted[0] else None
        end = int(wanted[2]) + 1 if wanted[2] else None
        path = line.split(" ")[1]
        self.server.hub.seen.append(Seen(self.server.role, path, start, headers))
        fault = self.server.hub.next_fault(self.server.role)
        answer = _Answer(self, path, start, end)
        with contextlib.suppress(OSError):
            getattr(answer, fault or self.server.role)()


class _Answer:
    """Every way to answer, right and wrong; the method's name is the fault's."""

    def __init__(self, handler: _Handler, path: str, start: int | None, end: int | None) -> None:
        self.handler = handler
        self.rig = handler.server.hub
        self.path = path.partition("?")[0]
        self.start = start or 0
        self.data = self.rig.files.get(self.path.rpartition("/")[2], b"")
        self.end = min(len(self.data), end or len(self.data))
        self.ranged = start is not None
        self.slot: int | None = None

    # what is right

    def hub(self) -> None:
        if not self.data:
            self.head(404)
            return
        self.head(
            302,
            x_linked_size=len(self.data),
            x_linked_etag=f'"{self.rig.sha256(self.path)}"',
            x_repo_commit=COMMIT,
            location=f"{self.rig.cdn}/blob{self.path}?signature=abc",
        )

    def cdn(self) -> None:
        if self.start >= len(self.data):
            self.head(416, content_range=f"bytes */{len(self.data)}")
            return
        self.body_head()
        self.send(self.data[self.start : self.end])

    def plain(self) -> None:
        """No redirect: a web server with the file, and an etag of its own."""
        self.body_head(etag=f'"{hashlib.md5(self.data, usedforsecurity=False).hexdigest()}"')
        self.send(self.data[self.start : self.end])

    # faults of a status

    def busy(self) -> None:
        self.head(429, retry_after=7)

    def broken(self) -> None:
        self.head(503)

    def gated(self) -> None:
        self.head(401)

    def gone(self) -> None:
        self.head(404)

    def out_of_range(self) -> None:
        self.head(416)

    def teapot(self) -> None:
        self.head(304)

    # faults of a redirect

    def to_file(self) -> None:
        self.head(302, location="file:///etc/passwd")

    def to_ftp(self) -> None:
        self.head(302, location="ftp://127.0.0.1/x.gguf")

    def to_itself(self) -> None:
        self.head(302, location=self.path)

    def to_http(self) -> None:
        self.head(302, location=f"http://127.0.0.1:9{self.path}")

    def to_nowhere(self) -> None:
        self.head(302)

    def to_garbage(self) -> None:
        self.head(302, location="http://[::1")

    def relative(self) -> None:
        """As a renamed repository answers."""
        self.head(307, location=self.path.replace("/old/", "/owner/"))

    # faults of the headers

    def huge_headers(self) -> None:
        self.raw(b"HTTP/1.1 200 OK\r\n")
        with contextlib.suppress(OSError):
            for _ in range(10_000):
                self.raw(b"X-Filler: " + b"x" * 1000 + b"\r\n")

    def no_http(self) -> None:
        self.raw(b"220 smtp ready\r\n")

    def drip_headers(self) -> None:
        for letter in b"HTTP/1.1 200 OK\r\nX-Drip: " + b"x" * 500:
            self.raw(bytes([letter]))
            time.sleep(0.05)

    def hang(self) -> None:
        self.rig.ended.wait(20)

    def linked_lie(self) -> None:
        """The hub tells another size than the CDN has."""
        self.head(302, x_linked_size=5, location=f"{self.rig.cdn}/blob{self.path}")

    # faults of the body

    def cut(self) -> None:
        self.body_head()
        self.send(self.data[self.start : self.end][: self.rig.cut_after])

    def wrong_range(self) -> None:
        self.start += 1
        self.body_head()
        self.send(self.data[self.start : self.end])

    def short_range(self) -> None:
        self.end -= 1
        self.body_head()
        self.send(self.data[self.start : self.end])

    def no_range_told(self) -> None:
        self.head(206, content_length=len(self.data))

    def ignore_range(self) -> None:
        self.head(200, content_length=len(self.data))
        self.send(self.data)

    def endless(self) -> None:
        """Chunked, so that no length ends it."""
        told = f"bytes {self.start}-{len(self.data) - 1}/{len(self.data)}"
        self.head(206, content_range=told, transfer_encoding="chunked")
        while not self.rig.ended.is_set():
            self.send(b"10000\r\n" + b"x" * PIECE + b"\r\n")

    def endless_plain(self) -> None:
        """Neither a length nor chunks: until the connection ends."""
        self.head(200)
        while not self.rig.ended.is_set():
            self.send(b"x" * PIECE)

    def drip(self) -> None:
        self.body_head()
        for place in range(self.start, self.end):
            self.send(self.data[place : place + 1])
            time.sleep(0.02)

    def slow(self) -> None:
        """Whole, in some seconds: time to be killed or cancelled in."""
        self.body_head()
        for place in range(self.start, self.end, PIECE):
            self.send(self.data[place : min(place + PIECE, self.end)])
            time.sleep(0.01)

    def silent(self) -> None:
        self.body_head()
        self.send(self.data[self.start : self.start + 10])
        self.rig.ended.wait(20)

    def corrupt(self) -> None:
        """One bit of the whole file is another."""
        middle = len(self.data) // 2
        self.data = self.data[:middle] + bytes([self.data[middle] ^ 1]) + self.data[middle + 1 :]
        self.cdn()

    def gzip_bomb(self) -> None:
        self.head(200, content_encoding="gzip", content_length=len(BOMB))
        self.send(BOMB)

    def long_length(self) -> None:
        told = f"bytes {self.start}-{len(self.data) - 1}/{len(self.data)}"
        self.head(206, content_range=told, content_length=len(self.data) - self.start + 1000)
        self.send(self.data[self.start :])

    def lies_long(self) -> None:
        """Ranges and lengths agree, and the file ends before."""
        length = len(self.data) + 1000
        told = f"bytes {self.start}-{length - 1}/{length}"
        self.head(206, content_range=told, content_length=length - self.start)
        self.send(self.data[self.start :])

    # how it is sent

    def body_head(self, **more: object) -> None:
        told = f"bytes {self.start}-{self.end - 1}/{len(self.data)}"
        ranged = {"content_range": told} if self.ranged else {}
        length = self.end - self.start
        self.head(206 if self.ranged else 200, content_length=length, **ranged, **more)

    def head(self, status: int, **headers: object) -> None:
        lines = [f"HTTP/1.1 {status} Told"]
        if status not in {200, 206}:
            headers.setdefault("content_length", 0)
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.raw("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))

    def send(self, data: bytes) -> None:
        for place in range(0, len(data), PIECE):
            piece = data[place : place + PIECE]
            self.raw(piece)
            self.rig.sent += len(piece)
            if self.slot is None:
                self.slot = len(self.rig.bodies)
                self.rig.bodies.append(0)
            self.rig.bodies[self.slot] += len(piece)

    def raw(self, data: bytes) -> None:
        self.handler.connection.sendall(data)


class Hub:
    """Both servers.

    Attributes:
        files: Content by file name.
        seen: Every request.
        sent: Bytes of all bodies that were sent, also to those who did not read them.
        bodies: The same of each body.
        cut_after: Bytes after which the fault `cut` ends a body.
        ended: Set when the servers stop, so that no handler outlives them.
    """

    def __init__(self, pair: KeyPair | None = None) -> None:
        tls = None
        if pair is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(pair.cert, pair.key)
        scheme = "http" if tls is None else "https"
        self.files: dict[str, bytes] = {}
        self.seen: list[Seen] = []
        self.sent = 0
        self.bodies: list[int] = []
        self.cut_after = 1000
        self.ended = threading.Event()
        self._faults: dict[str, deque[tuple[str, int]]] = {"hub": deque(), "cdn": deque()}
        self._lock = threading.Lock()
        self._servers = [_Server(self, role, tls) for role in ("hub", "cdn")]
        self.endpoint, self.cdn = (
            f"{scheme}://localhost:{server.server_address[1]}" for server in self._servers
        )

    def misbehave(self, role: str, fault: str, times: int = ALWAYS) -> None:
        """The next `times` requests to `hub` or `cdn` are answered in that way."""
        assert hasattr(_Answer, fault), fault
        with self._lock:
            self._faults[role].append((fault, times))

    def behave(self) -> None:
        """Forget all faults."""
        with self._lock:
            for queue in self._faults.values():
                queue.clear()

    def next_fault(self, role: str) -> str | None:
        with self._lock:
            queue = self._faults[role]
            if not queue:
                return None
            fault, left = queue.popleft()
            if left > 1:
                queue.appendleft((fault, left - 1))
            return fault

    def sha256(self, path: str) -> str:
        return hashlib.sha256(self.files[path.rpartition("/")[2]]).hexdigest()

    def asked(self, role: str) -> list[Seen]:
        return [one for one in self.seen if one.role == role]

    @contextlib.contextmanager
    def running(self) -> Iterator[Hub]:
        threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            for server in self._servers
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.ended.set()
            for server in self._servers:
                server.shutdown()
                server.server_close()


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
