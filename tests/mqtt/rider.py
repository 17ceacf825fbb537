"""A session in an asyncio loop of its own, ridden from a test's thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self, TypeVar

from edged.clock import SystemClock
from edged.mqtt.packet import Connected, Incoming, Outgoing, SessionEvent
from edged.mqtt.session import Session
from edged.mqtt.topics import Topics
from edged.settings import MqttConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

NODE = "test"
E = TypeVar("E", bound=SessionEvent)
TIMEOUT_S = 30.0  # a bound, not a wait: shared machines stall


class Rider:
    """Collects the events of a session; `answer` makes it reply to requests at once."""

    def __init__(
        self,
        port: int,
        *,
        password: bytes | None = None,
        receive_maximum: int = 10,
        answer: bool = False,
        facts: tuple[str, ...] = (),
        **config: object,
    ) -> None:
        settings: dict[str, object] = {
            "host": "127.0.0.1",
            "port": port,
            "keepalive_s": 5,
            "connect_timeout_s": 2.0,
            "reconnect_max_s": 1.0,
            "reply_expiry_s": 60,
            **config,
        }
        self.events: list[SessionEvent] = []
        self.answer = answer
        self.topics = Topics(NODE, facts=facts)
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rider", daemon=True)
        self.session = Session(
            config=MqttConfig(**settings),  # type: ignore[arg-type]
            topics=self.topics,
            password=password,
            receive_maximum=receive_maximum,
            post=self._post,
            clock=SystemClock(),
        )

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(TIMEOUT_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(2.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        if error is not None:
            error.add_note(f"events: {[e for e in self.events if not isinstance(e, Incoming)]}")

    def close(self, timeout: float) -> None:
        closing = self.session.close(timeout)
        asyncio.run_coroutine_threadsafe(closing, self._loop).result(timeout + TIMEOUT_S)

    def stall(self, until: threading.Event) -> None:
        """Block the asyncio loop, as a bug would."""
        self._loop.call_soon_threadsafe(until.wait, TIMEOUT_S)

    def wait(
        self,
        kind: type[E],
        wanted: Callable[[E], bool] = lambda _: True,
        timeout: float = TIMEOUT_S,
        *,
        count: int = 1,
    ) -> E:
        """The `count`th event of a kind that fits, those before this call included."""

        def found() -> list[E]:
            return [e for e in self.events if isinstance(e, kind) and wanted(e)]

        with self._changed:
            if not self._changed.wait_for(lambda: len(found()) >= count, timeout):
                message = f"no {kind.__name__} after {timeout} s"
                raise TimeoutError(message)
            return found()[count - 1]

    def of(self, kind: type[E]) -> list[E]:
        with self._changed:
            return [e for e in self.events if isinstance(e, kind)]

    def wait_up(self, timeout: float = TIMEOUT_S, *, count: int = 1) -> Connected:
        return self.wait(Connected, timeout=timeout, count=count)

    def reply(self, tag: str, payload: bytes = b"") -> None:
        """Publish a terminal reply whose tag is also its id."""
        body = payload or b'{"id":"%b","status":"ok"}' % tag.encode()
        topic = self.topics.reply(tag)
        self.publish(Outgoing(topic=topic, payload=body, qos=1, tag=tag, expiry_s=60))

    def publish(self, outgoing: Outgoing) -> None:
        self._in_loop(lambda: self.session.publish(outgoing))

    def acknowledge(self, message: Incoming) -> None:
        self._in_loop(lambda: self.session.acknowledge(message.connection, message.mid))

    def _in_loop(self, call: Callable[[], None]) -> None:
        if threading.current_thread() is self._thread or not self._thread.is_alive():
            call()
            return

        async def done() -> None:
            call()

        asyncio.run_coroutine_threadsafe(done(), self._loop).result(TIMEOUT_S)

    async def _start(self) -> None:
        self.session.start()

    def _post(self, event: SessionEvent) -> None:
        if self.answer and isinstance(event, Incoming):
            self.reply(event.payload.decode())
            self.acknowledge(event)
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()
