"""Home Assistant's side of discovery, written from its rules: what it refuses and warns of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.rig.haentity import bad_template
from tests.rig.haplatforms import CLASSES, DEVICE, ENTITY, PLATFORMS, SHARED, STATE_CLASSES, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rig.haentity import Payload

TOPIC = re.compile(
    r"(?P<component>\w+)/(?:(?P<node>[a-zA-Z0-9_-]+)/)?(?P<object>[a-zA-Z0-9_-]+)/config"
)


def faults(topic: str, payload: Payload, prefix: str = "homeassistant") -> list[str]:
    """All that Home Assistant would refuse or warn of in a configuration."""
    match = TOPIC.fullmatch(topic.removeprefix(prefix + "/"))
    if match is None or not topic.startswith(prefix + "/"):
        return [f"{topic} is no topic of discovery"]
    if match["component"] == "device":
        return list(_whole(payload))
    found = [*_entity(match["object"], {"platform": match["component"], **payload})]
    return [*found, *_device(payload.get("device")), *_origin(payload.get("origin"))]


def components(topic: str, payload: Payload, prefix: str = "homeassistant") -> dict[str, Payload]:
    """The entities of a configuration by key, each with what it inherits."""
    platform, *_, key, _ = topic.removeprefix(prefix + "/").split("/")
    if platform != "device":
        return {key: {"platform": platform, **payload}}
    inherited = {name: value for name, value in payload.items() if name != "components"}
    return {
        key: {**inherited, **part}
        for key, part in payload["components"].items()
        if part.keys() != {"platform"}
    }


def _whole(payload: Payload) -> Iterator[str]:
    yield from (f"{key}: not a key of a device's discovery" for key in payload.keys() - WHOLE)
    yield from (f"{key}: missing" for key in {"device", "origin", "components"} - payload.keys())
    yield from _device(payload.get("device"))
    yield from _origin(payload.get("origin"))
    inherited = {name: value for name, value in payload.items() if name in SHARED}
    seen: set[str] = set()
    for key, part in payload.get("components", {}).items():
        if part.keys() == {"platform"}:
            if part["platform"] not in PLATFORMS:
                yield f"{key}: unknown platform"
            continue
        yield from _entity(key, {**inherited, **part})
        unique = str(part.get("unique_id"))
        if unique in seen:
            yield f"{key}: unique_id {unique} is taken"
        seen.add(unique)


def _device(device: Any) -> Iterator[str]:
    if not isinstance(device, dict):
        yield "device: missing"
        return
    yield from (f"device.{key}: unknown" for key in device.keys() - DEVICE)
    if not device.get("identifiers") and not device.get("connections"):
        yield "device: neither identifiers nor connections"


def _origin(origin: Any) -> Iterator[str]:
    if not isinstance(origin, dict) or not isinstance(origin.get("name"), str):
        yield "origin: without a name"
    elif origin.keys() - {"name", "sw_version", "support_url"}:
        yield "origin: unknown keys"


def _entity(key: str, part: Payload) -> Iterator[str]:
    platform = PLATFORMS.get(part.get("platform", ""))
    if not re.fullmatch(r"[a-zA-Z0-9_-]+", key):
        yield f"{key}: not an id"
    if platform is None:
        yield f"{key}: unknown platform"
        return
    for name in part.keys() - ENTITY - platform.required - platform.optional:
        yield f"{key}.{name}: not a key of {part['platform']}"
    for name in (platform.required | {"unique_id", "name"}) - part.keys():
        yield f"{key}.{name}: missing"
    device_class = part.get("device_class")
    if device_class is not None and device_class not in platform.device_classes:
        yield f"{key}.device_class: {device_class}"
    yield from (f"{key}.{text}" for text in _common(part))
    rules = {"sensor": _sensor, "select": _select, "number": _number, "event": _event}
    yield from (f"{key}.{text}" for text in rules.get(part["platform"], _nothing)(part))


def _common(part: Payload) -> Iterator[str]:
    for name, value in part.items():
        if name.endswith("_topic") and not _is_topic(value):
            yield f"{name}: {value!r}"
        if name.endswith("_template") and (wrong := bad_template(value)) is not None:
            yield f"{name}: {wrong}"
    yield from _category(part)
    yield from _availability(part)
    if part.get("qos", 0) not in {0, 1, 2}:
        yield f"qos: {part['qos']}"
    if not isinstance(part.get("expire_after", 1), int) or part.get("expire_after", 1) <= 0:
        yield f"expire_after: {part['expire_after']}"


def _category(part: Payload) -> Iterator[str]:
    category = part.get("entity_category")
    readonly = part["platform"] in {"sensor", "binary_sensor"}
    if category is not None and category not in {"config", "diagnostic"}:
        yield f"entity_category: {category}"
    if category == "config" and readonly:
        yield "entity_category: config on what only shows"


def _availability(part: Payload) -> Iterator[str]:
    if "availability" in part and "availability_topic" in part:
        yield "availability: given twice"
    for each in part.get("availability", ()):
        if not _is_topic(each.get("topic")):
            yield f"availability: {each}"


def _sensor(part: Payload) -> Iterator[str]:
    unit, state_class = part.get("unit_of_measurement"), part.get("state_class")
    device_class, options = part.get("device_class"), part.get("options")
    if state_class is not None and state_class not in STATE_CLASSES:
        yield f"state_class: {state_class}"
    if device_class is not None and device_class in CLASSES:
        units, states = CLASSES[device_class]
        if unit not in (units or {None}):
            yield f"unit_of_measurement: {unit} for {device_class}"
        if state_class not in {None, *states}:
            yield f"state_class: {state_class} for {device_class}"
    if options is not None and device_class != "enum":
        yield "options: without device_class enum"
    if options is not None and (unit or state_class):
        yield "options: with a unit or a state class"
    if device_class == "enum" and not options:
        yield "options: missing for enum"


def _select(part: Payload) -> Iterator[str]:
    options = part.get("options")
    if not options or not all(isinstance(each, str) and each for each in options):
        yield f"options: {options}"
    elif len(set(options)) != len(options):
        yield "options: one stands there twice"


def _number(part: Payload) -> Iterator[str]:
    if part.get("min", 1) >= part.get("max", 100):
        yield "min: not under max"
    if part.get("step", 1) < 1e-3:
        yield f"step: {part['step']}"
    if part.get("mode", "auto") not in {"auto", "box", "slider"}:
        yield f"mode: {part['mode']}"


def _event(part: Payload) -> Iterator[str]:
    if not part.get("event_types"):
        yield "event_types: none"


def _nothing(_: Payload) -> Iterator[str]:
    return iter(())


def _is_topic(topic: Any) -> bool:
    if not isinstance(topic, str) or not 0 < len(topic.encode()) <= 65_535:
        return False
    return not {"+", "#", "\0"} & set(topic)
