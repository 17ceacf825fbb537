from __future__ import annotations

import threading

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edged.errors import EdgedError
from edged.mqtt.client import MAX_QUEUED, Client, stop_loop
from edged.settings import MqttConfig
from tests.rig.broker import Broker, BrokerOptions, free_port

pytestmark = pytest.mark.process


def settings(port: int, **fields: object) -> MqttConfig:
    return MqttConfig(host="127.0.0.1", port=port, connect_timeout_s=5, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", [5, 311])
def test_what_is_published_comes_back(protocol: int) -> None:
    with Broker() as broker, Client(settings(broker.port, protocol=protocol), None) as client:
        client.subscribe("a/b", "a/+")
        client.publish("a/b", "é".encode())
        message = client.receive(5)
        assert message is not None
        assert (message.topic, message.payload) == ("a/b", "é".encode())
        client.publish("elsewhere", b"x", qos=0)
        while client.receive(0.2) is not None:
            pass


def test_silence_is_none() -> None:
    with Broker() as broker, Client(settings(broker.port), None) as client:
        client.subscribe("a")
        assert client.receive(0.01) is None


def test_nobody_there_is_told_with_the_address() -> None:
    port = free_port()
    with pytest.raises(EdgedError, match=f"127.0.0.1:{port}"), Client(settings(port), None):
        pytest.fail("there is nobody to speak to")


def test_a_wrong_password_is_told_without_it() -> None:
    options = BrokerOptions(users={"kitchen": "right"})
    with (
        Broker(options) as broker,
        pytest.raises(EdgedError, match="refuses us") as caught,
        Client(settings(broker.port, username="kitchen"), b"wrong-secret"),
    ):
        pytest.fail("the password is wrong")
    assert "wrong-secret" not in str(caught.value)


def test_the_right_password_lets_us_in() -> None:
    options = BrokerOptions(users={"kitchen": "right"})
    with (
        Broker(options) as broker,
        Client(settings(broker.port, username="kitchen"), b"right") as client,
    ):
        client.publish("a", b"x")


def test_a_broker_that_never_answers_is_told_in_time() -> None:
    with Broker() as broker:
        broker.freeze()
        config = MqttConfig(host="127.0.0.1", port=broker.port, connect_timeout_s=1)
        with pytest.raises(EdgedError, match="does not answer"), Client(config, None):
            pytest.fail("a frozen broker answers nobody")
        broker.thaw()


def test_a_thread_that_ends_while_it_is_stopped_is_no_error() -> None:
    paho = mqtt.Client(CallbackAPIVersion.VERSION2)

    class Vanishing(threading.Thread):
        """Ends when it is compared: between the look whether it is there and the wait for it."""

        def __ne__(self, _other: object) -> bool:
            paho._thread = None
            return True

        __hash__ = threading.Thread.__hash__

    paho._thread = Vanishing()
    stop_loop(paho)
    assert paho._thread is None


def test_a_reader_that_falls_behind_loses_the_oldest() -> None:
    client = Client(settings(1), None)
    for number in range(MAX_QUEUED + 5):
        client._on_message(None, None, _message(number))
    first = client.receive(0)
    assert first is not None
    assert first.payload == b"5"


def _message(number: int) -> MQTTMessage:
    message = MQTTMessage(number, b"t")
    message.payload = str(number).encode()
    return message
