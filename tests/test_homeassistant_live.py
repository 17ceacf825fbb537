"""A house finds edged by itself: real broker under an ACL, real child, Home Assistant's rules."""

from __future__ import annotations

import shutil
from functools import partial
from operator import eq
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import eventually
from tests.rig.broker import Broker, BrokerOptions
from tests.rig.client import TestClient
from tests.rig.daemon import POCKET, DaemonProcess, merge
from tests.rig.haentity import command_of, state_of
from tests.rig.homeassistant import components, faults
from tests.test_selection_live import chooses

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.process

PATIENCE_S = 60.0
MOST_ASKED = 20
DEVICE = "homeassistant/device/edged_test/config"
GUEST = "too"
USERS = {"node": "right", "house": GUEST}
# What an owner writes for a node; nothing else is needed, and nothing else is allowed.
ACL = (
    "user house",
    "topic readwrite #",
    "user node",
    "topic readwrite edged/test/#",
    "topic read homeassistant/status",
    "topic write homeassistant/+/edged_test/config",
    "topic write homeassistant/+/edged_test/+/config",
)


class House:
    """Home Assistant, as far as one device needs it."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        client.subscribe("homeassistant/#", "edged/test/#")

    def retained(self) -> dict[str, dict[str, Any]]:
        """Configurations by topic as they are now."""
        newest = {
            record.topic: record
            for record in list(self.client.records)
            if record.topic.endswith("/config") and b"migrate" not in record.payload
        }
        return {topic: record.json() for topic, record in newest.items() if record.payload}

    def entities(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for topic, payload in self.retained().items():
            assert faults(topic, payload) == [], topic
            found |= components(topic, payload)
        return found

    def shows(self, key: str) -> Any:
        """What an entity shows of the newest message on its topic."""
        part = self.entities()[key]
        seen = [each for each in self.client.on(part["state_topic"]) if each.payload]
        return state_of(part, seen[-1].payload.decode()) if seen else ...

    def until(self, key: str, right: Callable[[Any], bool]) -> None:
        eventually(lambda: right(self.shows(key)), f"{key} as wanted", PATIENCE_S)

    def use(self, key: str, value: Any = None) -> str:
        topic, payload = command_of(self.entities()[key], value)
        self.client.publish(topic, payload)
        return topic

    def ask_until(self, key: str, right: Callable[[Any], bool]) -> None:
        """Ask on: one answer of so small a model may be over before it can be timed."""
        for count in range(2, MOST_ASKED):
            if right(self.shows(key)):
                return
            self.use("prompt", "Is the kitchen warm?")
            self.until("requests", partial(eq, count))
        self.until(key, right)

    def done(self, key: str, value: Any = None) -> None:
        """Use an entity, and see that the command went well."""
        topic = f"{command_of(self.entities()[key], value)[0]}/result"
        count = len(self.client.on(topic))
        self.use(key, value)
        told = self.client.wait(lambda each: each.topic == topic, PATIENCE_S, count=count + 1)
        assert told.json()["status"] == "ok", told.json()


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(POCKET, models / "mine.gguf")
    password = tmp_path / "password"
    password.write_text("right\n")
    return merge(chooses(models), {"mqtt": {"username": "node", "password_file": str(password)}})


@pytest.fixture
def broker() -> Any:
    with Broker(BrokerOptions(users=USERS, acl=ACL)) as broker:
        yield broker


def daemon_of(broker: Broker, options: dict[str, Any]) -> DaemonProcess:
    daemon = DaemonProcess(broker.port, config=options)
    daemon.patient = False  # its own watcher has no name
    return daemon


def test_every_entity_shows_what_is_and_does_what_it_says(
    broker: Broker, options: dict[str, Any]
) -> None:
    with (
        TestClient(broker.port, username="house", password=GUEST) as client,
        daemon_of(broker, options),
    ):
        house = House(client)
        client.wait(lambda each: each.topic == DEVICE, PATIENCE_S)
        house.until("ready", lambda ready: ready is True)
        house.until("variant", lambda variant: variant == "mine")
        eventually(lambda: len(house.entities()["select"]["options"]) > 1, "models", PATIENCE_S)

        house.use("prompt", '{"Is the kitchen warm?"}')
        house.until("answer", lambda answer: answer is not ... and bool(answer["text"]))
        assert house.shows("answer")["event_type"] == "completed"
        house.until("requests", lambda count: count == 1)
        for key, part in house.entities().items():
            if "state_topic" in part:
                assert house.shows(key) is not ..., key
        assert house.shows("ttft") > 0
        house.ask_until("tps_sustained", lambda rate: rate is not None and rate > 0)
        assert not house.shows("problem")

        house.done("accept", value=False)
        house.until("accept", lambda on: on is False)
        house.use("prompt", "Is the door locked?")
        house.until("answer", lambda answer: answer["event_type"] == "rejected")
        house.done("accept", value=True)
        house.until("accept", lambda on: on is True)

        house.done("select", "pocket")
        house.until("select", lambda option: option == "pocket")
        house.until("model", lambda model: model["installed_version"] == "pocket")
        house.done("target", 20.0)
        house.until("target", lambda target: target == 20.0)
        for key in ("benchmark", "forget", "announce"):
            house.done(key)
        house.until("problem", lambda on: on is False)


def test_a_birth_is_answered_and_a_change_of_mode_leaves_no_ghosts(
    broker: Broker, options: dict[str, Any]
) -> None:
    with (
        TestClient(broker.port, username="house", password=GUEST) as client,
        daemon_of(broker, options) as daemon,
    ):
        house = House(client)
        client.wait(lambda each: each.topic == DEVICE, PATIENCE_S)
        house.until("ready", lambda ready: ready is True)
        whole = house.entities()
        counts = (len(client.on(DEVICE)), len(client.on("edged/test/info")))
        client.publish("homeassistant/status", "online", qos=0)
        client.wait(lambda each: each.topic == DEVICE, PATIENCE_S, count=counts[0] + 1)
        client.wait(lambda each: each.topic == "edged/test/info", PATIENCE_S, count=counts[1] + 1)

        daemon.terminate()
        daemon.write_config(merge(daemon.config, {"discovery": {"mode": "component"}}))
        daemon.start()
        eventually(lambda: DEVICE not in house.retained(), "the device's topic clear", PATIENCE_S)
        eventually(lambda: house.entities().keys() == whole.keys(), "all parts", PATIENCE_S)
        house.until("ready", lambda ready: ready is True)

        daemon.terminate()
        daemon.write_config(merge(daemon.config, {"discovery": {"mode": "off"}}))
        daemon.start()
        eventually(lambda: house.retained() == {}, "nothing retained", PATIENCE_S)
