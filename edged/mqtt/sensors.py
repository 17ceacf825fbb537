"""What Home Assistant shows of the state: one entity for a field, or for a condition on it."""

from __future__ import annotations

from typing import Any, TypeAlias

#: The keys of one component but for those that all share.
Component: TypeAlias = "dict[str, Any]"

MAX_STATE_CHARS = 255  # Home Assistant refuses a longer state
TOKENS_PER_S = "tok/s"
STATUSES = ("loading", "ready", "busy", "paused", "backoff", "failed", "stopping")
THROTTLES = ("none", "paced", "soft", "capped", "undervoltage")
DIAGNOSTIC = {"entity_category": "diagnostic"}
MEASURED = {"state_class": "measurement"}
COUNTED = {"state_class": "total_increasing"}
SPEED = {"unit_of_measurement": TOKENS_PER_S, **MEASURED, "suggested_display_precision": 1}
SECONDS = {"device_class": "duration", "unit_of_measurement": "s", **MEASURED}


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


SENSORS = (
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
BINARY = (
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
