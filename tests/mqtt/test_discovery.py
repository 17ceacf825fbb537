from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from edged.mqtt.discovery import Config, configs
from edged.mqtt.topics import Topics
from tests.mqtt.test_entities import BARE, FULL
from tests.rig.homeassistant import components, faults

if TYPE_CHECKING:
    from edged.mqtt.entities import Traits

NAMED = msgspec.structs.replace(FULL, board="Raspberry Pi 5 Model B Rev 1.0")
HALL = Topics("hall", house="ha/x")


def wire(config: Config) -> dict[str, object]:
    decoded: dict[str, object] = json.loads(msgspec.json.encode(config.payload))
    return decoded


@pytest.mark.parametrize("traits", [FULL, BARE, NAMED])
@pytest.mark.parametrize("mode", ["device", "component", "both"])
def test_home_assistant_takes_every_configuration(traits: Traits, mode: str) -> None:
    for config in configs(HALL, traits, mode):
        assert faults(config.topic, wire(config), "ha/x") == []


def test_a_device_and_its_parts_are_the_same_entities() -> None:
    (whole,) = configs(HALL, FULL, "device")
    parts = configs(HALL, FULL, "component")
    assert whole.topic == "ha/x/device/edged_hall/config"
    joined: dict[str, object] = {}
    for part in parts:
        assert not part.whole
        joined |= components(part.topic, wire(part), "ha/x")
    assert components(whole.topic, wire(whole), "ha/x") == joined
    assert len(parts) == len(joined) == len(whole.components)
    assert configs(HALL, FULL, "both") == (whole, *parts)
    assert configs(HALL, FULL, "off") == ()


def test_the_device_says_what_it_is_and_that_it_may_be_away() -> None:
    (whole,) = configs(HALL, NAMED, "device")
    assert whole.payload["device"] == {
        "identifiers": ["edged_hall"],
        "name": "edged hall",
        "manufacturer": "edged",
        "model": "Raspberry Pi 5 Model B Rev 1.0",
        "sw_version": "1",
    }
    assert whole.payload["origin"] == {"name": "edged", "sw_version": "1"}
    assert whole.payload["availability"] == [{"topic": "edged/hall/availability"}]
    (only,) = configs(Topics("edged"), BARE, "device")
    assert only.payload["device"]["name"] == "edged"
    assert "model" not in only.payload["device"]


def test_all_of_it_is_smaller_than_any_packet_limit() -> None:
    many = msgspec.structs.replace(FULL, variants=tuple(f"{'v' * 60}{n}" for n in range(256)))
    (whole,) = configs(HALL, many, "device")
    assert len(msgspec.json.encode(whole.payload)) < 65_536
