from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from edged.config import Config
from edged.doctor.connection import connect
from edged.doctor.facts import Broker
from edged.mqtt.packet import MAX_FACT_BYTES
from edged.settings import FieldConfig, MqttConfig, PersonaConfig
from tests.rig.broker import Broker as Mosquitto
from tests.rig.broker import BrokerOptions, free_port
from tests.rig.client import TestClient

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process
SECRET = "not to be told"  # noqa: S105 - of a broker of our own


def config(port: int) -> Config:
    mqtt = MqttConfig(host="127.0.0.1", port=port, connect_timeout_s=10)
    return Config(node="test", mqtt=mqtt)


def test_an_open_broker_and_what_edged_said_there() -> None:
    with Mosquitto() as broker, TestClient(broker.port) as client:
        where = f"127.0.0.1:{broker.port}"
        assert connect(config(broker.port)) == (Broker(where=where), {})
        client.publish("edged/test/availability", b"online", retain=True)
        client.publish("edged/test/state", b'{"tps_15m": 7.5}', retain=True)
        found, state = connect(config(broker.port))
        assert found == Broker(where=where, availability="online")
        assert state == {"tps_15m": 7.5}
        client.publish("edged/test/state", b"junk", retain=True)
        assert connect(config(broker.port))[1] == {}


def test_fields_for_which_nothing_of_use_is_retained_are_named() -> None:
    fields = tuple(FieldConfig(name=name, topic=name, path="c") for name in ("a", "b", "c", "d"))
    butler = PersonaConfig(name="butler", fields=fields)
    with Mosquitto() as broker, TestClient(broker.port) as client:
        client.publish("a", b'{"c": 1}', retain=True)
        client.publish("b", b'{"d": 1}', retain=True)
        client.publish("c", b'{"c": "%b"}' % (b"x" * MAX_FACT_BYTES), retain=True)
        found, _ = connect(replace(config(broker.port), personas=(butler,)))
        assert (found.topics, found.silent) == (4, ("butler.b", "butler.c", "butler.d"))


def test_no_broker_is_told() -> None:
    found, state = connect(config(free_port()))
    assert "nothing listens" in found.problem
    assert state == {}


def test_credentials_are_those_of_the_daemon(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{SECRET}\n")
    with Mosquitto(BrokerOptions(users={"edged": SECRET})) as broker:
        anonymous, _ = connect(config(broker.port))
        assert "refuses us" in anonymous.problem
        known = config(broker.port)
        mqtt = replace(known.mqtt, username="edged", password_file=str(secret))
        by_credential = replace(known, mqtt=replace(mqtt, password_file=None))
        assert connect(by_credential, secret)[0].problem == ""
        known = replace(known, mqtt=mqtt)
        assert connect(known)[0].problem == ""
        secret.write_text("wrong\n")
        wrong = connect(known)[0].problem
        assert "refuses us" in wrong
        assert "wrong" not in wrong
        secret.unlink()
        assert "password" in connect(known)[0].problem
