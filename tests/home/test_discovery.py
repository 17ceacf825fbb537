"""What Home Assistant makes of each mode of discovery, and of going from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import eventually
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess, merge
from tests.rig.homeassistant import components

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.home.hass import HomeAssistant
    from tests.rig.broker import Broker

DEVICE = "homeassistant/device/edged_edged/config"
# Said of a device's topic that is cleared when no entity is left, also if it cleared it itself.
CLEARED = "No device components to cleanup for edged_edged"
# What we tell of a component is in the registry, or among the attributes of its state.
REGISTERED = {"name": "original_name", "entity_category": "entity_category"}
SHOWN = (
    *("icon", "unit_of_measurement", "device_class", "state_class", "options"),
    *("min", "max", "step", "mode", "event_types", "title"),
)


@pytest.fixture
def daemon(
    broker: Broker, house: HomeAssistant, choosing: dict[str, Any]
) -> Iterator[DaemonProcess]:
    """One whose entities are all there; taken back at its end."""
    heard = len(house.complaints())
    with DaemonProcess(broker.port, node="edged", config=choosing) as daemon:
        whole(house, {DEVICE})
        yield daemon
        assert complaints(house, heard) == []
        change(daemon, "off")
        house.until(lambda: not house.devices(), "nothing is left")


def change(daemon: DaemonProcess, mode: str) -> None:
    daemon.terminate()
    daemon.write_config(merge(daemon.config, {"discovery": {"mode": mode}}))
    daemon.start()


def complaints(house: HomeAssistant, heard: int) -> list[str]:
    return [each for each in house.complaints()[heard:] if CLEARED not in each]


def retained(broker: Broker) -> dict[str, dict[str, Any]]:
    """Each configuration that the broker has, by topic."""
    with TestClient(broker.port) as client:
        client.subscribe("homeassistant/#", "end")
        client.publish("end")
        client.wait_topic("end")
        records = [each for each in client.records if each.retain]
        return {each.topic: each.json() for each in records}


def whole(house: HomeAssistant, topics: set[str]) -> None:
    """Wait until Home Assistant shows everything as it was told on these topics."""
    house.until(lambda: house.places() == topics, "every configuration was taken")
    house.until(lambda: "unavailable" not in states(house).values(), "every entity is there")


def states(house: HomeAssistant) -> dict[str, str]:
    """The state of each of our entities, by entity id."""
    found, ours = house.states(), house.entities().values()
    shown = [each["entity_id"] for each in ours if each["disabled_by"] is None]
    return {name: found[name]["state"] if name in found else "unavailable" for name in shown}


def test_each_entity_is_as_announced(
    broker: Broker, house: HomeAssistant, daemon: DaemonProcess
) -> None:
    del daemon
    ((topic, payload),) = retained(broker).items()
    told = {part["unique_id"]: part for part in components(topic, payload).values()}
    made, shown = house.entities(), house.states()
    assert made.keys() == told.keys()
    for name, part in told.items():
        entity = made[name]
        assert {ours: entity[theirs] for ours, theirs in REGISTERED.items()} == {
            ours: part.get(ours) for ours in REGISTERED
        }
        assert entity["entity_id"].split(".")[0] == part["platform"]
        disabled = part.get("enabled_by_default") is False
        assert (entity["disabled_by"] == "integration") is disabled
        if not disabled:
            attributes = shown[entity["entity_id"]]["attributes"]
            expected = {key: part[key] for key in SHOWN if key in part}
            assert {key: attributes.get(key) for key in expected} == expected


def test_the_device_is_one_and_has_them_all(house: HomeAssistant, daemon: DaemonProcess) -> None:
    del daemon
    (device,) = house.devices()
    assert device["identifiers"] == [["mqtt", "edged_edged"]]
    assert device["name"] == device["manufacturer"] == "edged"
    assert {each["device_id"] for each in house.entities().values()} == {device["id"]}


def test_there_is_a_choice_from_the_first_announcement_on(
    house: HomeAssistant, daemon: DaemonProcess
) -> None:
    del daemon
    options = house.get("states/select.edged_model_choice")["attributes"]["options"]
    assert {"auto", "pocket", "mine"} <= set(options)


def test_off_takes_everything_back(house: HomeAssistant, daemon: DaemonProcess) -> None:
    heard = len(house.complaints())
    change(daemon, "off")
    house.until(lambda: not house.entities(), "no entity is left")
    house.until(lambda: not house.devices(), "no device is left")
    assert complaints(house, heard) == []


def test_what_the_owner_changed_outlives_each_change_of_mode(
    broker: Broker, house: HomeAssistant, daemon: DaemonProcess
) -> None:
    house.ask(
        "config/entity_registry/update",
        entity_id="sensor.edged_queue",
        name="Who waits",
        new_entity_id="sensor.who_waits",
    )
    house.ask("config/entity_registry/update", entity_id="sensor.edged_clock", disabled_by=None)
    before = {name: each["id"] for name, each in house.entities().items()}
    for mode in ("component", "device"):
        change(daemon, mode)
        moved_to(broker, mode)
        whole(house, set(retained(broker)) - fans(broker))
        assert {name: each["id"] for name, each in house.entities().items()} == before
        waiting = house.get("states/sensor.who_waits")
        assert (waiting["state"], waiting["attributes"]["friendly_name"]) == ("0", "Who waits")
        assert house.state("sensor.edged_clock") is not None


def moved_to(broker: Broker, mode: str) -> None:
    """Wait until the broker has what this mode announces, and nothing else."""
    right = (
        (lambda: set(retained(broker)) == {DEVICE})
        if mode == "device"
        else (lambda: DEVICE not in retained(broker) and len(retained(broker)) > 1)
    )
    eventually(right, f"{mode} alone", 30.0)


def fans(broker: Broker) -> set[str]:
    """Topics of what is not shown unless the owner says so: of those, the clock is."""
    return {topic for topic in retained(broker) if topic.endswith("/fan/config")}


def test_both_at_once_are_each_entity_once(
    broker: Broker, house: HomeAssistant, choosing: dict[str, Any]
) -> None:
    heard = len(house.complaints())
    config = merge(choosing, {"discovery": {"mode": "both"}})
    with DaemonProcess(broker.port, node="edged", config=config) as daemon:
        house.until(lambda: bool(house.entities()), "the first entity")
        whole(house, house.places())
        assert len(house.entities()) == len(retained(broker)) - 1
        change(daemon, "off")
        house.until(lambda: not house.devices(), "nothing is left")
    # as config/edged.yaml says of this mode
    assert all("conflicting MQTT discovery" in each for each in house.complaints()[heard:])
