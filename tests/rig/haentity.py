"""An entity of Home Assistant: what it shows of a message, and what it publishes when used."""

from __future__ import annotations

import contextlib
import json
from typing import Any, TypeAlias

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tests.rig.haplatforms import UPDATE_KEYS

Payload: TypeAlias = "dict[str, Any]"

MAX_STATE = 255  # characters
MAX_ATTRIBUTES = 16_384  # bytes; the recorder drops more
_TEMPLATES = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
_TEMPLATES.filters["to_json"] = lambda value: json.dumps(value, ensure_ascii=False)


def bad_template(text: Any) -> str | None:
    """Why Home Assistant refuses a template; None if it does not."""
    try:
        _TEMPLATES.parse(text)
    except Exception as error:  # noqa: BLE001 - whatever it is, Home Assistant refuses it
        return str(error)
    return None


def rendered(template: str | None, payload: str) -> str:
    """A value template over a message."""
    if template is None:
        return payload
    values: dict[str, Any] = {"value": payload}
    with contextlib.suppress(ValueError):
        values["value_json"] = json.loads(payload)
    return _TEMPLATES.from_string(template).render(values).strip()


def state_of(part: Payload, payload: str) -> Any:
    """What an entity shows of a message on its topic; None is unknown.

    Raises:
        ValueError: Home Assistant would log an error and show nothing new.
    """
    shown = rendered(part.get("value_template"), payload)
    if part["platform"] == "event":
        return _happened(part, shown)
    if part["platform"] == "update":
        return _version(shown)
    if shown == "None":
        return None
    return _SHOWS[part["platform"]](part, shown)


def _happened(part: Payload, shown: str) -> Payload:
    event: Payload = json.loads(shown)
    if event["event_type"] not in part["event_types"]:
        raise ValueError(event["event_type"])
    attributes = {key: value for key, value in event.items() if key != "event_type"}
    if len(json.dumps(attributes, ensure_ascii=False).encode()) > MAX_ATTRIBUTES:
        message = "the recorder drops these attributes"
        raise ValueError(message)
    return event


def _version(shown: str) -> Payload:
    update: Payload = json.loads(shown)
    percent = update.get("update_percentage")
    texts = (update.get("installed_version", ""), update.get("latest_version", ""))
    good = all(isinstance(text, str) for text in texts) and not update.keys() - UPDATE_KEYS
    if not good or (percent is not None and not 0 <= percent <= 100):
        raise ValueError(shown)
    return update


def _show_sensor(part: Payload, shown: str) -> Any:
    if part.get("device_class") == "enum" and shown not in part["options"]:
        raise ValueError(shown)
    numeric = part.get("unit_of_measurement") or part.get("state_class")
    if not numeric and len(shown) > MAX_STATE:
        raise ValueError(shown)
    return float(shown) if numeric else shown


def _show_switch(part: Payload, shown: str) -> bool:
    on, off = part.get("payload_on", "ON"), part.get("payload_off", "OFF")
    if shown not in {on, off}:
        raise ValueError(shown)
    return bool(shown == on)


def _show_select(part: Payload, shown: str) -> str:
    if shown not in part["options"]:
        raise ValueError(shown)
    return shown


def _show_number(part: Payload, shown: str) -> float:
    value = float(shown)
    if not part.get("min", 1) <= value <= part.get("max", 100):
        raise ValueError(shown)
    return value


_SHOWS = {
    "sensor": _show_sensor,
    "binary_sensor": _show_switch,
    "switch": _show_switch,
    "select": _show_select,
    "number": _show_number,
}


def command_of(part: Payload, value: Any = None) -> tuple[str, str]:
    """Topic and payload of what an entity publishes when somebody uses it.

    Args:
        part: The entity.
        value: A text, an option, a number, or whether it is switched on; None presses.
    """
    if isinstance(value, bool):
        value = part.get("payload_on", "ON") if value else part.get("payload_off", "OFF")
    elif value is None:
        value = part.get("payload_press", "PRESS")
    template = part.get("command_template")
    text = str(value)
    if template is not None:
        text = _TEMPLATES.from_string(template).render(value=value)
    return part["command_topic"], text
