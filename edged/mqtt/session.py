"""The connection to the broker: it comes back by itself and loses no reply.

paho reads in one thread of ours, the network thread. The asyncio side calls the public methods,
and writes what it published at the end of its turn, all in one piece; events come to it through
`post`, called in its loop. Each connection has a fresh paho client, so that messages are sent again
by our outbox and not, out of order, by paho.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from typing import TYPE_CHECKING

from msgspec.structs import replace

from edged.mqtt.courier import Courier
from edged.mqtt.desk import Desk
from edged.mqtt.failure import Failure, delay
from edged.mqtt.link import Link
from edged.mqtt.outbox import Outbox
from edged.mqtt.packet import Disconnected
from edged.mqtt.receipts import Receipts

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.clock import Clock
    from edged.mqtt.packet import Outgoing, SessionEvent
    from edged.mqtt.topics import Topics
    from edged.settings import MqttConfig

LOG = logging.getLogger(__name__)
# A connection that lived so long ends the series of failures before it.
STABLE_S = 10.0
# What close() grants the network thread beyond its timeout to say goodbye.
CLOSE_MARGIN_S = 1.0
ENDED = Failure(code="closed", text="the session was closed")

BROKEN = Failure(code="internal", text="an error of our own, see the log", refusal=True)


class Session:
    """Keeps one connection to the broker and everything it has not confirmed.

    Args:
        config: Broker, limits and times.
        topics: Our topic tree.
        password: Goes to the broker and nowhere else.
        receive_maximum: Messages the broker may send before we acknowledge one, 1 to 65535.
        post: Takes each event, in the asyncio loop; must not block.
        clock: To measure with.

    Attributes:
        contested: Another one takes our session; it is not taken back before a while.
    """

    def __init__(  # noqa: PLR0913 - a composition root calls it once, by keyword
        self,
        *,
        config: MqttConfig,
        topics: Topics,
        password: bytes | None,
        receive_maximum: int,
        post: Callable[[SessionEvent], None],
        clock: Clock,
    ) -> None:
        self._password = password
        self._desk = Desk(
            config=config,
            topics=topics,
            clock=clock,
            courier=Courier(post),
            outbox=Outbox(),
            receipts=Receipts(),
            lock=threading.RLock(),
            receive_maximum=receive_maximum,
        )
        self.contested = False
        self._random = random.SystemRandom()
        self._link: Link | None = None
        self._number = 0
        self._told: set[str] = set()
        self._stopping = threading.Event()
        self._close_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writes = False  # at the end of this turn of the loop
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether messages flow: subscribed and announced."""
        link = self._link
        return link is not None and link.up

    @property
    def unconfirmed(self) -> int:
        """Replies that the broker has not confirmed."""
        with self._desk.lock:
            return self._desk.outbox.replies

    @property
    def dropped(self) -> tuple[int, int]:
        """Messages dropped so far: QoS 0 requests of a flood, and ours that no broker took."""
        with self._desk.lock:
            return self._desk.dropped_in, self._desk.dropped_out + self._desk.outbox.dropped

    def start(self) -> None:
        """Begin to connect. Replies of an earlier process must have been published before.

        Raises:
            RuntimeError: No asyncio loop runs, or it was started before.
        """
        self._loop = asyncio.get_running_loop()
        self._desk.courier.open(self._loop)
        self._thread.start()

    def publish(self, outgoing: Outgoing) -> None:
        """QoS 1 is kept until the broker confirms it; QoS 0 is sent now or dropped."""
        with self._desk.lock:
            if outgoing.qos:
                self._desk.outbox.put(outgoing)
                if self._link is not None:
                    self._link.flush()
            elif self._link is not None:
                self._link.publish(outgoing)
            else:
                self._desk.dropped_out += 1
        self._write_soon()

    def acknowledge(self, connection: int, mid: int) -> None:
        """Confirm a QoS 1 message, behind all replies published before.

        Void if that connection is over: the broker will deliver the message again.
        """
        with self._desk.lock:
            if self._link is not None and self._link.number == connection:
                self._desk.outbox.acknowledge(mid)
                self._link.flush()
        self._write_soon()

    def share(self, *, on: bool) -> None:
        """Join the fleet's group, or leave it: what the broker gave us by then is still ours."""
        with self._desk.lock:
            if self._desk.shares != on:
                self._desk.shares = on
                if self._link is not None:
                    self._link.share()

    async def close(self, timeout: float) -> None:  # noqa: ASYNC109 - it bounds a thread
        """Publish `offline`, let the broker confirm what it can in `timeout` s, and leave."""
        with self._desk.lock:
            self._close_at = self._desk.clock.monotonic() + timeout
            self._stopping.set()
            if self._link is not None:
                self._link.close(self._close_at)
        if self._thread.is_alive():
            join = self._thread.join
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, join, timeout + CLOSE_MARGIN_S)

    def _write_soon(self) -> None:
        if self._loop is not None and not self._writes:
            self._writes = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        self._writes = False
        with self._desk.lock:
            if self._link is not None:
                self._link.write()

    def _run(self) -> None:
        attempt = 0
        while not self._stopping.is_set():
            began = self._desk.clock.monotonic()
            failure, was_up = self._connect()
            if self._desk.clock.monotonic() - began >= STABLE_S and was_up:
                attempt = 0
            if self.contested:
                failure = replace(failure, refusal=True)
            cap = self._desk.config.reconnect_max_s
            wait = delay(failure, attempt, cap, self._random.random())
            attempt += 1
            if not self._stopping.is_set():
                self._tell(failure, was_up=was_up, wait=wait)
                self._stopping.wait(wait)

    def _connect(self) -> tuple[Failure, bool]:
        """One connection from beginning to end; why it ended, and whether it ever stood."""
        with self._desk.lock:
            self._number += 1
            self._link = link = Link(self._desk, self._number)
            if self._stopping.is_set():
                link.close(self._close_at)
        try:
            failure = link.drive(self._password)
        except Exception:  # a bug must not leave the daemon deaf for good
            LOG.exception("the connection to the broker failed in an unknown way")
            failure = BROKEN
        with self._desk.lock:
            self._link = None
        return failure or ENDED, link.was_up

    def _tell(self, failure: Failure, *, was_up: bool, wait: float) -> None:
        """One event per cause, not one per attempt."""
        if was_up:
            self._told.clear()
        if failure.code not in self._told:
            self._told.add(failure.code)
            self._desk.courier.send(
                Disconnected(code=failure.code, reason=failure.text, retry_in_s=wait)
            )
