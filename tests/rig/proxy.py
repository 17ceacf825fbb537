"""A TCP proxy that breaks connections the way networks do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

Direction = Literal["up", "down"]  # up: from the client to the broker
BOTH: frozenset[Direction] = frozenset(("up", "down"))
CHUNK_BYTES = 65_536
# After a cut the other direction may still flush what it has read, as routers would.
LINGER_S = 0.1
START_TIMEOUT_S = 5.0
RESET = struct.pack("ii", 1, 0)


class Pair:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, broker: asyncio.StreamWriter) -> None:
        self.client = client
        self.broker = broker
        self.down = False

    def abort(self, *, reset: bool) -> None:
        self.down = True
        for writer in (self.client, self.broker):
            raw = writer.get_extra_info("socket")
            if reset and raw is not None:
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


class Proxy:
    """`with Proxy(broker.port) as proxy:` listens on `proxy.port`.

    While a direction is held its bytes wait, as TCP lets them wait in a partition; `heal`
    lets them flow again, unless their sender reset the connection. All verbs may be called
    from the test's thread.
    """

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.target_port = target_port
        self.accepted = 0
        self.bytes: dict[Direction, int] = {"up": 0, "down": 0}
        self._delay_s = 0.0
        self._held: frozenset[Direction] = frozenset()
        self._cut: dict[Direction, int | None] = {"up": None, "down": None}
        self._cuts = 0
        self._pairs: set[Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(START_TIMEOUT_S), "the proxy did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_TIMEOUT_S)

    @property
    def cuts(self) -> int:
        """Connections ended by `cut_after` so far."""
        return self._cuts

    def blackhole(self, *directions: Direction) -> None:
        """Hold what flows in these directions (none named: in both)."""
        self._call(self._hold, frozenset(directions) or BOTH)

    def heal(self) -> None:
        """Pass everything again, at once."""
        self._delay_s = 0.0
        self._cut = {"up": None, "down": None}
        self._call(self._hold, frozenset())

    def delay(self, seconds: float) -> None:
        """Every chunk waits so long before it goes on."""
        self._delay_s = seconds

    def reset(self) -> None:
        """Every connection ends with RST."""
        self._call(self._abort_all)

    def cut_after(self, count: int, direction: Direction) -> None:
        """End the connection, once, when more than `count` further bytes flow in `direction`."""
        self._call(self._cut.__setitem__, direction, count)

    def _call(self, function: Callable[..., object], *args: object) -> None:
        done = threading.Event()

        def run() -> None:
            function(*args)
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(START_TIMEOUT_S), "the proxy's loop hangs"

    def _hold(self, directions: frozenset[Direction]) -> None:
        self._held = directions
        if directions:
            self._open.clear()
        else:
            self._open.set()

    def _abort_all(self) -> None:
        for pair in tuple(self._pairs):
            pair.abort(reset=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._open.set()
        server = self._loop.run_until_complete(
            asyncio.start_server(self._accept, "127.0.0.1", self.port)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for pair in tuple(self._pairs):
            pair.abort(reset=False)
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _accept(
        self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter
    ) -> None:
        self.accepted += 1
        try:
            broker_reader, broker = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            client.transport.abort()
            return
        pair = Pair(client, broker)
        self._pairs.add(pair)
        try:
            await asyncio.gather(
                self._pump(pair, client_reader, broker, "up"),
                self._pump(pair, broker_reader, client, "down"),
            )
        finally:
            pair.abort(reset=False)
            self._pairs.discard(pair)

    async def _pump(
        self,
        pair: Pair,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        direction: Direction,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                while direction in self._held:
                    await self._open.wait()
                if reader.exception() is not None:
                    break  # reset meanwhile: nobody sends again what the network had not taken
                self.bytes[direction] += len(data)
                keep = self._budget(direction, len(data))
                writer.write(data[:keep])
                await writer.drain()
                if keep < len(data):
                    await asyncio.sleep(LINGER_S)
                    break
        pair.abort(reset=False)

    def _budget(self, direction: Direction, size: int) -> int:
        """How many of these bytes may pass; fewer than `size` means: then cut."""
        left = self._cut[direction]
        if left is None:
            return size
        if size <= left:
            self._cut[direction] = left - size
            return size
        self._cut[direction] = None
        self._cuts += 1
        return left
