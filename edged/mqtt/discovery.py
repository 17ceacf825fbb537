"""Home Assistant's discovery: which configuration is retained on which topic.

A device is announced as a whole on one topic (Home Assistant since 2024.12), or each component on
a topic of its own for what knows no other way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from edged.mqtt.entities import entities

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.mqtt.entities import Traits
    from edged.mqtt.topics import Topics

QOS = 1  # of what Home Assistant subscribes and publishes: a lost prompt is asked nobody again


class Config(Struct, frozen=True, kw_only=True):
    """What is retained on one topic.

    Attributes:
        topic: Where.
        payload: Encoded as JSON when it is published.
        components: The platform of each component that it announces, by key.
        whole: It announces a device, and not one component.
    """

    topic: str
    payload: dict[str, Any]
    components: Mapping[str, str]
    whole: bool


def configs(topics: Topics, traits: Traits, mode: str) -> tuple[Config, ...]:
    """Everything that is to be announced, none with `off`.

    Args:
        topics: The topic tree.
        traits: Of the node.
        mode: device, component, both or off.
    """
    shared = _shared(topics, traits)
    found = entities(topics, traits)
    whole = (_device(topics, shared, found),) if mode in {"device", "both"} else ()
    parts = (
        tuple(_component(topics, shared, key, part) for key, part in found.items())
        if mode in {"component", "both"}
        else ()
    )
    return (*whole, *parts)


def _shared(topics: Topics, traits: Traits) -> dict[str, Any]:
    """What every configuration says; a component may stand alone, so it says it too."""
    name = "edged" if topics.node == "edged" else f"edged {topics.node}"
    device = {
        "identifiers": [topics.house_id],
        "name": name,
        "manufacturer": "edged",
        "sw_version": traits.version,
    }
    if traits.board is not None:
        device["model"] = traits.board
    return {
        "device": device,
        "origin": {"name": "edged", "sw_version": traits.version},
        "availability": [{"topic": topics.availability}],
        "qos": QOS,
    }


def _device(topics: Topics, shared: dict[str, Any], found: dict[str, dict[str, Any]]) -> Config:
    return Config(
        topic=topics.device_config,
        payload={**shared, "components": found},
        components={key: part["platform"] for key, part in found.items()},
        whole=True,
    )


def _component(topics: Topics, shared: dict[str, Any], key: str, part: dict[str, Any]) -> Config:
    platform = part["platform"]
    own = {name: value for name, value in part.items() if name != "platform"}
    return Config(
        topic=topics.component_config(platform, key),
        payload={**own, **shared},
        components={key: platform},
        whole=False,
    )
