"""What edged is in Home Assistant: its entities, each with the topic and the template it reads.

The rules are those of Home Assistant's MQTT platforms. An entity is there only if the field that
it shows is in the state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.mqtt.topics import Topics

#: The keys of one component but for those that all share.
Component: TypeAlias = "dict[str, Any]"

# Three states may be lost before a value counts as unknown.
EXPIRE_STATES = 3
EXPIRE_LEAST_S = 180
AUTO = "auto"  # the option that lets edged choose
# What `command/target` takes.
TARGET_LEAST, TARGET_MOST = 0.1, 10_000
MAX_STATE_CHARS = 255  # Home Assistant refuses a longer state
STATUSES = ("loading", "ready", "busy", "paused", "backoff", "failed", "stopping")
THROTTLES = ("none", "paced", "soft", "capped", "undervoltage")
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
TOKENS_PER_S = "tok/s"
DIAGNOSTIC = {"entity_category": "diagnostic"}
CONFIG = {"entity_category": "config"}
MEASURED = {"state_class": "measurement"}
COUNTED = {"state_class": "total_increasing"}
SPEED = {"unit_of_measurement": TOKENS_PER_S, **MEASURED, "suggested_display_precision": 1}
SECONDS = {"device_class": "duration", "unit_of_measurement": "s", **MEASURED}


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
        for key, field, component in (*_SENSORS, *_BINARY)
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


def _sensor(
    key: str, field: str, name: str, *more: dict[str, Any], template: str | None = None
) -> tuple[str, str, Component]:
    """A sensor of one field of the state; null there is unknown here."""
    shown = template or f"value_json.{field}"
    component: Component = {"platform": "sensor", "name": name}
    component["value_template"] = f"{{{{ {shown} }}}}"
    for part in more:
        component |= part
    return key, field, component


def _binary(
    key: str, field: str, name: str, condition: str, *more: dict[str, Any]
) -> tuple[str, str, Component]:
    """A binary sensor that is on where a condition on the state holds."""
    component: Component = {"platform": "binary_sensor", "name": name}
    component["value_template"] = f"{{{{ 'ON' if {condition} else 'OFF' }}}}"
    for part in more:
        component |= part
    return key, field, component


_SENSORS = (
    _sensor("tps", "tps", "Generation speed", SPEED, {"icon": "mdi:speedometer"}),
    _sensor("tps_sustained", "tps_15m", "Generation speed sustained", SPEED),
    _sensor("pp_tps", "pp_tps", "Reading speed", SPEED),
    _sensor(
        "ttft",
        "ttft_ms",
        "Time to first token",
        {"device_class": "duration", "unit_of_measurement": "ms", **MEASURED},
        {"suggested_display_precision": 0},
    ),
    _sensor("queue", "waiting", "Queue", MEASURED, {"icon": "mdi:tray-full"}),
    # Nobody waits: that is no wait, and not an unknown one.
    _sensor(
        "queue_wait",
        "oldest_wait_s",
        "Queue wait",
        SECONDS,
        {"suggested_display_precision": 0},
        template="value_json.oldest_wait_s or 0",
    ),
    _sensor(
        "status",
        "status",
        "Status",
        {"device_class": "enum", "options": list(STATUSES)},
        DIAGNOSTIC,
    ),
    _sensor("variant", "variant", "Model", {"icon": "mdi:brain"}, DIAGNOSTIC),
    _sensor(
        "ram_headroom",
        "ram_headroom_mib",
        "Memory headroom",
        {"device_class": "data_size", "unit_of_measurement": "MiB", **MEASURED},
        DIAGNOSTIC,
    ),
    _sensor(
        "temperature",
        "temp_c",
        "Temperature",
        {"device_class": "temperature", "unit_of_measurement": "°C", **MEASURED},
        {"suggested_display_precision": 1},
        DIAGNOSTIC,
    ),
    _sensor(
        "throttle",
        "throttle",
        "Throttle",
        {"device_class": "enum", "options": list(THROTTLES)},
        DIAGNOSTIC,
    ),
    _sensor(
        "clock",
        "clock_mhz",
        "Clock",
        {"device_class": "frequency", "unit_of_measurement": "MHz", **MEASURED},
        {"enabled_by_default": False},
        DIAGNOSTIC,
    ),
    _sensor(
        "fan",
        "fan_rpm",
        "Fan",
        {"unit_of_measurement": "rpm", **MEASURED, "icon": "mdi:fan"},
        {"enabled_by_default": False},
        DIAGNOSTIC,
    ),
    _sensor("time_to_throttle", "time_to_throttle_s", "Time to throttling", SECONDS, DIAGNOSTIC),
    _sensor("cooldown_eta", "cooldown_eta_s", "Cool-down", SECONDS, DIAGNOSTIC),
    _sensor("prompt_tokens", "prompt_tokens", "Tokens read", COUNTED, DIAGNOSTIC),
    _sensor("completion_tokens", "completion_tokens", "Tokens written", COUNTED, DIAGNOSTIC),
    _sensor(
        "requests",
        "requests",
        "Requests",
        COUNTED,
        DIAGNOSTIC,
        template="value_json.requests.values() | sum",
    ),
    _sensor(
        "problem_text",
        "problems",
        "Last problem",
        {"icon": "mdi:alert-circle-outline"},
        DIAGNOSTIC,
        template=f"value_json.problems[0].text[:{MAX_STATE_CHARS}]"
        " if value_json.problems else 'none'",
    ),
)
_BINARY = (
    _binary("busy", "running", "Busy", "value_json.running", {"device_class": "running"}),
    _binary("ready", "status", "Ready", "value_json.status in ('ready', 'busy', 'paused')"),
    _binary(
        "throttled",
        "throttle",
        "Throttled",
        # By the firmware; who paces himself is not throttled.
        "value_json.throttle in ('soft', 'capped')",
        {"device_class": "problem"},
        DIAGNOSTIC,
    ),
    _binary(
        "under_voltage",
        "throttle",
        "Under-voltage",
        "value_json.throttle == 'undervoltage'",
        {"device_class": "problem"},
        DIAGNOSTIC,
    ),
    _binary(
        "problem",
        "problems",
        "Problem",
        "value_json.problems",
        {"device_class": "problem"},
        DIAGNOSTIC,
    ),
)


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
