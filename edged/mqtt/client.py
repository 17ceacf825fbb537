"""A plain client for the verbs: connect, subscribe, publish, read what comes."""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
from typing import TYPE_CHECKING, Any, Self

from paho.mqtt.client import Client as PahoClient
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edged.errors import EdgedError
from edged.mqtt.connect import explain, incoming, tls_context

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

    from edged.mqtt.packet import Incoming
    from edged.settings import MqttConfig

MAX_QUEUED = 10_000  # messages a slow terminal may fall behind before the oldest are dropped
CONNECTION = 1  # there is only one, so nothing is ever acknowledged over another


def stop_loop(client: PahoClient) -> None:
    """End the thread of a paho client, and wait for it."""
    # It forgets itself as the last thing it does, which may be between paho's look at it and join.
    with contextlib.suppress(AttributeError):
        client.loop_stop()


class Client:
    """One connection for the life of a verb; a context manager.

    Args:
        config: Broker and credentials.
        password: Goes to the broker and nowhere else.
    """

    def __init__(self, config: MqttConfig, password: bytes | None) -> None:
        self._config = config
        self._inbox: queue.Queue[Incoming] = queue.Queue(MAX_QUEUED)
        self._answers: dict[int, threading.Event] = {}
        self._refused: list[str] = []
        self._connected = threading.Event()
        five = config.protocol == 5  # noqa: PLR2004 - the protocol's name is a number
        self._paho = PahoClient(
            CallbackAPIVersion.VERSION2,
            client_id=f"edged-cli-{secrets.token_hex(4)}",
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        )
        if config.username is not None:
            # paho takes bytes; its annotation knows only text.
            self._paho.username_pw_set(config.username, password)  # type: ignore[arg-type]
        self._paho.connect_timeout = config.connect_timeout_s
        self._paho.on_connect = self._on_connect
        self._paho.on_subscribe = self._on_subscribe
        self._paho.on_message = self._on_message

    def __enter__(self) -> Self:
        """Connects.

        Raises:
            EdgedError: Naming broker and cause.
        """
        config = self._config
        try:
            if config.tls is not None:
                self._paho.tls_set_context(tls_context(config.tls))
            self._paho.connect(config.host, config.port, config.keepalive_s)
        except (OSError, ValueError) as error:
            raise EdgedError(explain(error, config).text) from error
        self._paho.loop_start()
        if not self._connected.wait(config.connect_timeout_s):
            self._leave(f"{config.host}:{config.port} does not answer as an MQTT broker")
        if self._refused:
            self._leave(f"{config.host}:{config.port} refuses us: {self._refused[0]}")
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnects."""
        self._paho.disconnect()
        stop_loop(self._paho)

    def subscribe(self, *topics: str) -> None:
        """Subscribes with QoS 1 and waits for the broker's answer.

        Raises:
            EdgedError: The broker refuses a topic or does not answer.
        """
        _, mid = self._paho.subscribe([(topic, 1) for topic in topics])
        if mid is None:
            message = "the connection to the broker is lost"
            raise EdgedError(message)
        answer = self._answers.setdefault(mid, threading.Event())
        if not answer.wait(self._config.connect_timeout_s):
            message = f"the broker does not answer a subscription to {topics[0]}"
            raise EdgedError(message)
        if self._refused:
            message = f"the broker refuses a subscription: {self._refused[0]}"
            raise EdgedError(message)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1) -> None:
        """Publishes and waits until the broker has it.

        Raises:
            EdgedError: The connection is lost.
        """
        try:
            sent = self._paho.publish(topic, payload, qos)
            sent.wait_for_publish(self._config.connect_timeout_s)
        except (ValueError, RuntimeError) as error:
            message = f"not published on {topic}: {error}"
            raise EdgedError(message) from error

    def receive(self, timeout: float) -> Incoming | None:
        """The next message, or None after `timeout` seconds."""
        try:
            return self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None

    def _leave(self, message: str) -> None:
        stop_loop(self._paho)
        raise EdgedError(message)

    # Called in paho's thread.

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
        if reason.is_failure:
            self._refused.append(str(reason))
        self._connected.set()

    def _on_subscribe(self, _client: Any, _data: Any, mid: int, reasons: Any, _props: Any) -> None:
        self._refused += [str(reason) for reason in reasons if reason.is_failure]
        self._answers.setdefault(mid, threading.Event()).set()

    def _on_message(self, _client: Any, _data: Any, message: MQTTMessage) -> None:
        if self._inbox.full():
            self._inbox.get_nowait()
        self._inbox.put_nowait(incoming(message, CONNECTION))
