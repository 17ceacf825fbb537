"""What edged is in Home Assistant: its entities, each with the topic and the template it reads.

The rules are those of Home Assistant's MQTT platforms. An entity is there only if the field that
it shows is in the state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from edged.mqtt.sensors import BINARY, DIAGNOSTIC, SENSORS, TOKENS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.mqtt.sensors import Component
    from edged.mqtt.topics import Topics

# Three states may be lost before a value counts as unknown.
EXPIRE_STATES = 3
EXPIRE_LEAST_S = 180
AUTO = "auto"  # the option that lets edged choose
# What `command/target` takes.
TARGET_LEAST, TARGET_MOST = 0.1, 10_000
EVENT_TYPES = ("completed", "failed", "expired", "cancelled", "rejected")
# All that any version used: what an earlier one announced may have to be taken back.
PLATFORMS = frozenset(
    (
        "binary_sensor",
        "button",
        "event",
        "notify",
        "number",
        "select",
        "sensor",
        "switch",
        "update",
    )
)
CONFIG = {"entity_category": "config"}


class Traits(Struct, frozen=True, kw_only=True):
    """What of a node decides which entities it has.

    Attributes:
        fields: Names of the fields of its state.
        idle_s: Seconds between two states while nothing happens.
        serves: A model could be loaded, so that it keeps what it reads.
        chooses: It chooses the model itself.
        variants: Ids of the models that an owner may name.
        board: The board's name, if it has one.
        version: Of edged.
    """

    fields: frozenset[str]
    idle_s: float
    serves: bool
    chooses: bool
    variants: tuple[str, ...] = ()
    board: str | None = None
    version: str


def entities(topics: Topics, traits: Traits) -> dict[str, Component]:
    """Every component by its key; a key never changes its platform between versions.

    Args:
        topics: The topic tree.
        traits: Of the node.
    """
    lifetime = max(EXPIRE_LEAST_S, round(EXPIRE_STATES * traits.idle_s))
    found = {
        key: {**component, "state_topic": topics.state, "expire_after": lifetime}
        for key, field, component in (*SENSORS, *BINARY)
        if field in traits.fields
    }
    found.update(_always(topics))
    if traits.serves:
        found["forget"] = _button(topics, "forget", "Forget prompts", CONFIG)
    if traits.chooses:
        found.update(_choosing(topics, traits))
    return {
        key: {"unique_id": f"{topics.house_id}_{key}", **component}
        for key, component in found.items()
    }


def _always(topics: Topics) -> Iterator[tuple[str, Component]]:
    yield (
        "accept",
        {
            "platform": "switch",
            "name": "Accept requests",
            "command_topic": f"{topics.command}/accept",
            "state_topic": topics.state,
            "value_template": "{{ 'OFF' if value_json.paused else 'ON' }}",
            **CONFIG,
        },
    )
    yield "announce", _button(topics, "announce", "Publish again", DIAGNOSTIC)
    yield (
        "answer",
        {
            "platform": "event",
            "name": "Answer",
            "state_topic": topics.event,
            "event_types": list(EVENT_TYPES),
        },
    )
    yield (
        "prompt",
        {
            "platform": "notify",
            "name": "Prompt",
            "command_topic": topics.request,
            # A text that begins with a brace is a prompt too, and no JSON request.
            "command_template": "{{ {'prompt': value} | to_json }}",
        },
    )


def _choosing(topics: Topics, traits: Traits) -> Iterator[tuple[str, Component]]:
    yield "benchmark", _button(topics, "benchmark", "Benchmark", DIAGNOSTIC)
    yield (
        "select",
        {
            "platform": "select",
            "name": "Model choice",
            "command_topic": f"{topics.command}/select",
            "state_topic": topics.selection,
            "value_template": f"{{{{ value_json.pinned or '{AUTO}' }}}}",
            "options": [AUTO, *traits.variants],
            **CONFIG,
        },
    )
    yield (
        "target",
        {
            "platform": "number",
            "name": "Target speed",
            "command_topic": f"{topics.command}/target",
            "state_topic": topics.selection,
            # 0 is a configured "any speed", which no number here can say.
            "value_template": "{{ value_json.target_tps or None }}",
            "unit_of_measurement": TOKENS_PER_S,
            "min": TARGET_LEAST,
            "max": TARGET_MOST,
            "step": 0.1,
            "mode": "box",
            **CONFIG,
        },
    )
    yield (
        "model",
        {
            "platform": "update",
            "name": "Better model",
            "title": "Model",
            "state_topic": topics.update,
            **DIAGNOSTIC,
        },
    )


def _button(topics: Topics, verb: str, name: str, category: dict[str, str]) -> Component:
    return {
        "platform": "button",
        "name": name,
        "command_topic": f"{topics.command}/{verb}",
        **category,
    }
