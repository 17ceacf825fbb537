"""A small MQTT 5 client for tests: publish, subscribe, wait, ask."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from msgspec import Struct
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from edged.mqtt.client import stop_loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

TIMEOUT_S = 30.0  # a bound, not a wait: shared machines stall
RECONNECT_S = 0.05  # a witness must be back before the daemon under test is


class Record(Struct, frozen=True, kw_only=True):
    """One message as it arrived; `at` is in seconds of the monotonic clock."""

    at: float
    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool = False
    correlation: bytes | None = None
    content_type: str | None = None
    expiry_s: int | None = None

    def json(self) -> Any:
        return json.loads(self.payload)


def publish_properties(**values: object) -> Properties:
    """MQTT 5 properties of a PUBLISH, by paho's names."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


class TestClient:
    """Connects at `__enter__`, reconnects by itself and subscribes again."""

    __test__ = False  # its name begins like a test's

    def __init__(
        self,
        port: int,
        *,
        client_id: str | None = None,
        username: str | None = None,
        password: str | None = None,
        retain_as_published: bool = False,
    ) -> None:
        self.port = port
        self.client_id = client_id or f"test-{uuid4().hex[:8]}"
        self.records: deque[Record] = deque()
        self._changed = threading.Condition()
        self._subscriptions: dict[str, SubscribeOptions] = {}
        self._granted: set[int] = set()
        self._connected = False
        self._retain_as_published = retain_as_published
        self._client = Client(
            CallbackAPIVersion.VERSION2, self.client_id, protocol=MQTTProtocolVersion.MQTTv5
        )
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.reconnect_delay_set(RECONNECT_S, RECONNECT_S * 4)  # type: ignore[arg-type]
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe

    def __enter__(self) -> Self:
        self._client.connect_async("127.0.0.1", self.port, keepalive=30)
        self._client.loop_start()
        with self._changed:
            assert self._changed.wait_for(lambda: self._connected, TIMEOUT_S), "no connection"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        stop_loop(self._client)

    @property
    def connected(self) -> bool:
        return self._connected

    def subscribe(self, *topics: str, qos: int = 1) -> None:
        """Return once the broker has confirmed."""
        for topic in topics:
            options = SubscribeOptions(qos=qos, retainAsPublished=self._retain_as_published)
            self._subscriptions[topic] = options
            mid = self._client.subscribe([(topic, options)])[1]
            assert mid is not None, "not connected"
            with self._changed:
                granted = partial(self._granted.__contains__, mid)
                assert self._changed.wait_for(granted, TIMEOUT_S), f"{topic}: no SUBACK"

    def publish(
        self,
        topic: str,
        payload: bytes | str = b"",
        *,
        qos: int = 1,
        retain: bool = False,
        wait: bool = True,
        **properties: object,
    ) -> None:
        """Publish; keywords are MQTT 5 properties by paho's names, e.g. ResponseTopic."""
        props = publish_properties(**properties)
        info = self._client.publish(topic, payload, qos=qos, retain=retain, properties=props)
        if wait and qos:
            info.wait_for_publish(TIMEOUT_S)

    def wait(
        self, wanted: Callable[[Record], bool], timeout: float = TIMEOUT_S, *, count: int = 1
    ) -> Record:
        """The `count`th record that fits, those before this call included."""

        def found() -> list[Record]:
            return [r for r in self.records if wanted(r)]

        with self._changed:
            if not self._changed.wait_for(lambda: len(found()) >= count, timeout):
                seen = sorted({r.topic for r in self.records})
                message = f"nothing fits after {timeout} s; {len(self.records)} records on {seen}"
                raise TimeoutError(message)
            return found()[count - 1]

    def wait_topic(self, topic: str, timeout: float = TIMEOUT_S) -> Record:
        return self.wait(lambda r: r.topic == topic, timeout)

    def on(self, topic: str) -> list[Record]:
        """All records on a topic so far."""
        with self._changed:
            return [r for r in self.records if r.topic == topic]

    def ask(
        self, node: str, prompt: str, *, timeout: float = TIMEOUT_S, **fields: object
    ) -> dict[str, Any]:
        """Send a request and return its terminal reply; `fields` join the request."""
        request_id = str(fields.setdefault("id", uuid4().hex))
        self.subscribe(f"edged/{node}/reply/{request_id}")
        self.send(node, prompt, **fields)
        reply: dict[str, Any] = self.wait_topic(f"edged/{node}/reply/{request_id}", timeout).json()
        return reply

    def send(self, node: str, prompt: str, **fields: object) -> None:
        """Publish a request without waiting for its reply."""
        body = {"prompt": prompt, **fields}
        properties = publish_properties(UserProperty=[("client", self.client_id)])
        info = self._client.publish(
            f"edged/{node}/request", json.dumps(body), qos=1, properties=properties
        )
        info.wait_for_publish(TIMEOUT_S)

    def _on_connect(self, *_: object) -> None:
        if self._subscriptions:
            self._client.subscribe(list(self._subscriptions.items()))
        with self._changed:
            self._connected = True
            self._changed.notify_all()

    def _on_disconnect(self, *_: object) -> None:
        with self._changed:
            self._connected = False
            self._changed.notify_all()

    def _on_subscribe(self, _client: object, _data: object, mid: int, *_: object) -> None:
        with self._changed:
            self._granted.add(mid)
            self._changed.notify_all()

    def _on_message(self, _client: object, _data: object, message: MQTTMessage) -> None:
        properties = message.properties
        record = Record(
            at=time.monotonic(),
            topic=message.topic,
            payload=bytes(message.payload),
            qos=message.qos,
            retain=message.retain,
            dup=message.dup,
            correlation=getattr(properties, "CorrelationData", None),
            content_type=getattr(properties, "ContentType", None),
            expiry_s=getattr(properties, "MessageExpiryInterval", None),
        )
        with self._changed:
            self.records.append(record)
            self._changed.notify_all()
