"""The shipped ACL: everything works under it, over TLS, and nothing else can be done."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edged.mqtt.topics import Topics
from edged.settings import Config
from tests.faults.kit import eventually
from tests.rig.broker import Broker, BrokerOptions, BrokerTls
from tests.rig.certs import Authority
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import reply_id

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process

ACL = Path(__file__).parents[1] / "config" / "mosquitto-acl.example"
NODE = Config().node
EDGED = {"username": "edged", "password": "right"}
HOUSE = {"username": "house", "password": "guest"}
# Neighbours of what edged may write, what is other machines', what steers a house.
NOT_WRITTEN = (
    "edged/edged/request", "edged/edged/request/butler", "edged/edged/cancel",
    "edged/edged/command/pause", "edged/edged/anything", "edged/edged", "edged/any/request",
    "edged/any/other", "edged/attic/reply/a", "edged/attic/state", "edged/attic/request",
    "edged/edged/state/more", "homeassistant/status", "homeassistant/sensor/edged_attic/x/config",
    "homeassistant/sensor/edged_edged/x/state", "homeassistant/device/other/config", "zigbee/lamp",
)  # fmt: skip
# Answers and prompts of others are nobody's business but theirs.
NOT_READ = (
    "edged/edged/reply/a", "edged/edged/stream/a", "edged/edged/state", "edged/attic/request",
    "edged/attic/reply/a", "edged/any/reply/a", "edged/edged/command/pause/result",
    "homeassistant/sensor/edged_edged/x/config", "homeassistant/light/x/set",
)  # fmt: skip


class TlsClient(TestClient):
    """The same over TLS."""

    def __init__(self, port: int, ca_file: Path, **options: Any) -> None:
        super().__init__(port, **options)
        context = ssl.create_default_context(cafile=str(ca_file))
        self._client.tls_set_context(context)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def broker(authority: Authority) -> Iterator[Broker]:
    with broker_of(authority, *ACL.read_text().splitlines()) as broker:
        yield broker


def broker_of(authority: Authority, *acl: str) -> Broker:
    users = {user["username"]: user["password"] for user in (EDGED, HOUSE)}
    tls = BrokerTls(ca_file=authority.ca_file, pair=authority.issue("broker"))
    return Broker(BrokerOptions(users=users, acl=acl, tls=tls))


def daemon_of(broker: Broker, authority: Authority, folder: Path, **more: object) -> DaemonProcess:
    password = folder / "password"
    password.write_text("right\n")
    config = {
        "mqtt": {
            "username": "edged",
            "password_file": str(password),
            "tls": {"ca_file": str(authority.ca_file)},
        },
        "fleet": {"enabled": True},
        "discovery": {"mode": "both"},
        "telemetry": {"state_interval_s": 0.1},
        **more,
    }
    script = {"ms_per_token": 20, "tokens": 10}
    daemon = DaemonProcess(broker.port, node=NODE, script=script, config=config)
    daemon.patient = False  # its own watcher has no name
    return daemon


def test_everything_works_under_it(broker: Broker, authority: Authority, tmp_path: Path) -> None:
    with (
        TlsClient(broker.port, authority.ca_file, **HOUSE) as house,
        daemon_of(broker, authority, tmp_path) as daemon,
    ):
        house.subscribe("edged/#", "homeassistant/#")
        house.wait(
            lambda each: each.topic.endswith("/info") and b'"accepting":true' in each.payload
        )
        assert house.ask(NODE, "hello you", id="own")["status"] == "ok"
        house.publish("edged/any/request", '{"id": "all", "prompt": "hello"}')
        assert house.wait_topic("edged/any/reply/all").json()["status"] == "ok"
        for number in range(3):
            house.send(NODE, "hello", id=f"many{number}")
        house.publish(f"edged/{NODE}/cancel", "many2", qos=0)
        assert house.wait_topic(f"edged/{NODE}/reply/many2").json()["status"] == "cancelled"
        house.publish(f"edged/{NODE}/command/announce")
        house.wait_topic(f"edged/{NODE}/command/announce/result")
        for what in ("stream/own", "progress/many1", "event", "availability", "state", "receipt"):
            house.wait_topic(f"edged/{NODE}/{what}")
        house.wait_topic(f"homeassistant/device/edged_{NODE}/config")
        house.wait(lambda each: each.topic.startswith("homeassistant/sensor/"))
        count = len(house.on(f"edged/{NODE}/info"))
        house.publish("homeassistant/status", "online", qos=0)  # read, and answered after a while
        house.wait(lambda each: each.topic.endswith("/info"), count=count + 1)
        daemon.kill()  # what is read again after a death: the receipt, and our own info
        daemon.start()
        assert house.ask(NODE, "hello again")["status"] == "ok"
        assert "denies" not in daemon.stderr()
        assert "Denied" not in broker.log()


def test_the_topic_of_a_field_needs_the_line_that_is_there_for_it(
    authority: Authority, tmp_path: Path
) -> None:
    field = {"name": "air", "topic": "zigbee2mqtt/garden"}
    persona = {"name": "butler", "system": "Be brief.\nAir: {{ air }}", "fields": [field]}
    line, others = "topic read zigbee2mqtt/garden", ("topic write zigbee2mqtt/#",)  # the house's
    shipped = ACL.read_text()
    assert f"#{line}\n" in shipped
    for acl, said in ((shipped, "unknown"), (shipped.replace(f"#{line}", line), "warm")):
        with (
            broker_of(authority, *acl.splitlines(), *others) as broker,
            TlsClient(broker.port, authority.ca_file, **HOUSE) as house,
            daemon_of(broker, authority, tmp_path, personas=[persona]) as daemon,
        ):
            house.subscribe(f"edged/{NODE}/availability")
            house.wait(lambda each: each.payload == b"online")
            house.publish("zigbee2mqtt/garden", "warm", retain=True)
            assert f"Air: {said} " in house.ask(NODE, "?", persona="butler")["text"]
            assert daemon.terminate() == 0


def test_it_names_each_topic_of_the_tree() -> None:
    lines = ACL.read_text().splitlines()
    topics = Topics(NODE, fleet=True, house="homeassistant")
    for topic in (*topics.subscriptions(), "edged/any/request"):
        assert {f"topic read {topic}", f"topic readwrite {topic}"} & set(lines), topic
    for what in ("event", "availability", "state", "selection", "update", "info", "receipt"):
        topic = f"edged/{NODE}/{what}"
        assert {f"topic write {topic}", f"topic readwrite {topic}"} & set(lines), topic


def test_nothing_else_can_be_published(broker: Broker, authority: Authority) -> None:
    with (
        TlsClient(broker.port, authority.ca_file, **HOUSE) as house,
        TlsClient(broker.port, authority.ca_file, **EDGED) as edged,
    ):
        house.subscribe("#")
        for topic in NOT_WRITTEN:
            edged.publish(topic, '{"id": "a", "status": "ok"}')
        edged.publish(f"edged/{NODE}/reply/last", '{"id": "last", "status": "ok"}')
        house.wait(lambda each: reply_id(each) == "last")
        assert [each.topic for each in house.records] == [f"edged/{NODE}/reply/last"]


def test_nothing_else_can_be_read(broker: Broker, authority: Authority) -> None:
    with (
        TlsClient(broker.port, authority.ca_file, **HOUSE) as house,
        TlsClient(broker.port, authority.ca_file, **EDGED) as edged,
    ):
        edged.subscribe("#", "$share/edged/edged/#")
        for topic in NOT_READ:
            house.publish(topic, "secret")
        house.publish(f"edged/{NODE}/request", "last")
        eventually(lambda: edged.on(f"edged/{NODE}/request"), "what it may read")
        assert {each.topic for each in edged.records} == {f"edged/{NODE}/request"}
