"""The rules bite: each breach of one is found, in an otherwise sound device."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.rig.haentity import command_of, state_of
from tests.rig.homeassistant import components, faults

TOPIC = "homeassistant/device/edged_n/config"
SPEED = {
    "platform": "sensor",
    "unique_id": "n_tps",
    "name": "Speed",
    "state_topic": "edged/n/state",
    "value_template": "{{ value_json.tps }}",
    "unit_of_measurement": "tok/s",
    "state_class": "measurement",
    "expire_after": 180,
}
PICK = {
    "platform": "select",
    "unique_id": "n_pick",
    "name": "Pick",
    "command_topic": "edged/n/command/select",
    "options": ["auto", "a"],
}
SOUND: dict[str, Any] = {
    "device": {"identifiers": ["edged_n"], "name": "edged n"},
    "origin": {"name": "edged", "sw_version": "1"},
    "availability": [{"topic": "edged/n/availability"}],
    "qos": 1,
    "components": {"tps": SPEED, "pick": PICK, "gone": {"platform": "sensor"}},
}


def test_a_sound_device_is_let_in_as_a_whole_and_in_parts() -> None:
    assert faults(TOPIC, SOUND) == []
    part = {key: value for key, value in SPEED.items() if key != "platform"}
    alone = {**part, "device": SOUND["device"], "origin": SOUND["origin"]}
    topic = "homeassistant/sensor/edged_n/tps/config"
    assert faults(topic, alone) == []
    assert components(topic, alone) == {"tps": {"platform": "sensor", **alone}}
    assert components(TOPIC, SOUND).keys() == {"tps", "pick"}


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("tps", {"expire_after": 0}, "tps.expire_after"),
    ("tps", {"colour": "red"}, "tps.colour: not a key of sensor"),
    ("tps", {"options": ["a"]}, "tps.options"),
    ("tps", {"device_class": "enum", "options": ["a"]}, "tps.unit_of_measurement"),
    ("tps", {"device_class": "temperature"}, "tps.unit_of_measurement: tok/s for temperature"),
    ("tps", {"device_class": "speed_of_light"}, "tps.device_class"),
    ("tps", {"state_class": "rising"}, "tps.state_class"),
    ("tps", {"entity_category": "config"}, "tps.entity_category"),
    ("tps", {"state_topic": "edged/+/state"}, "tps.state_topic"),
    ("tps", {"value_template": "{{ value_json."}, "tps.value_template"),
    ("tps", {"unique_id": "n_pick"}, "unique_id n_pick is taken"),
    ("tps", {"platform": "toaster"}, "tps: unknown platform"),
    ("tps", {"qos": 3}, "tps.qos"),
    ("pick", {"options": []}, "pick.options"),
    ("pick", {"options": ["a", "a"]}, "pick.options"),
    ("pick", {"entity_category": "secret"}, "pick.entity_category"),
    ("gone", {"platform": "toaster"}, "gone: unknown platform"),
]


@pytest.mark.parametrize(("key", "change", "said"), BROKEN)
def test_a_breach_is_found(key: str, change: dict[str, Any], said: str) -> None:
    payload = copy.deepcopy(SOUND)
    payload["components"][key].update(change)
    assert [fault for fault in faults(TOPIC, payload) if said in fault]


@pytest.mark.parametrize("key", ["unique_id", "name", "state_topic"])
def test_what_is_missing_is_found(key: str) -> None:
    payload = copy.deepcopy(SOUND)
    del payload["components"]["tps"][key]
    assert [fault for fault in faults(TOPIC, payload) if fault == f"tps.{key}: missing"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"device": {}}, "device: neither"),
        ({"origin": {}}, "origin: without a name"),
        ({"cmps": {}}, "cmps: not a key"),
        ({"availability": [{"topic": ""}]}, "availability"),
    ],
)
def test_a_breach_of_the_device_is_found(change: dict[str, Any], said: str) -> None:
    assert [fault for fault in faults(TOPIC, {**SOUND, **change}) if said in fault]


@pytest.mark.parametrize("topic", ["homeassistant/sensor/x", "ha/device/x/config", "x"])
def test_a_wrong_topic_is_found(topic: str) -> None:
    assert faults(topic, SOUND) == [f"{topic} is no topic of discovery"]


def test_states_are_shown_as_home_assistant_shows_them() -> None:
    assert state_of(SPEED, '{"tps": 8.03}') == 8.03
    assert state_of(SPEED, '{"tps": null}') is None
    with pytest.raises(ValueError, match="fast"):
        state_of(SPEED, '{"tps": "fast"}')
    with pytest.raises(ValueError, match="b"):
        state_of(PICK, "b")


def test_commands_are_what_home_assistant_publishes() -> None:
    assert command_of(PICK, "a") == ("edged/n/command/select", "a")
    assert command_of({"command_topic": "t"}) == ("t", "PRESS")
    assert command_of({"command_topic": "t"}, value=False) == ("t", "OFF")
    assert command_of({"command_topic": "t", "command_template": "{{ value }}!"}, "x") == (
        "t",
        "x!",
    )
