"""What was announced before and is no more: Home Assistant is told, else it shows ghosts.

A component of a device goes by an entry that has its platform and nothing else; a topic goes by an
empty retained message. Who moves from one topic to another says so first, so that Home Assistant
keeps the entities with all that their owner changed on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from edged.mqtt.entities import PLATFORMS
from edged.mqtt.packet import Outgoing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edged.mqtt.discovery import Config

#: Topic -> key of each component announced there -> its platform.
Announced: TypeAlias = "Mapping[str, Mapping[str, str]]"

JSON = "application/json"
# Some 30 topics of 100 bytes, and as many of an earlier mode and prefix.
MAX_BYTES = 65_536
MIGRATE = b'{"migrate_discovery": true}'


def encode(announced: Announced) -> bytes:
    """For the file in the state directory."""
    return msgspec.json.encode(announced)


def decode(data: bytes) -> dict[str, dict[str, str]]:
    """What the file says, as far as an edged can have written it.

    One entry of an unknown platform makes Home Assistant refuse a whole device.
    """
    try:
        found = msgspec.json.decode(data, type=dict[str, dict[str, str]])
    except msgspec.DecodeError:
        return {}
    return {
        topic: {key: part for key, part in parts.items() if part in PLATFORMS}
        for topic, parts in found.items()
        if _is_config(topic)
    }


def announced(configs: Iterable[Config]) -> dict[str, Mapping[str, str]]:
    """What these announce."""
    return {config.topic: config.components for config in configs}


def joined(before: Announced, now: Announced) -> dict[str, Mapping[str, str]]:
    """All that may be on the broker while one is replaced by the other."""
    both = {topic: {**parts, **now.get(topic, {})} for topic, parts in before.items()}
    return {**now, **both}


def messages(
    before: Announced, configs: Sequence[Config], house_id: str, *, again: bool = False
) -> list[Outgoing]:
    """What to publish, in order, so that only `configs` are left.

    Args:
        before: What may be on the broker.
        configs: What shall be.
        house_id: The level that our topics have; one of another name was another device.
        again: It was published before, so that nothing is left on topics that are no more: Home
            Assistant warns of who says twice that he has moved.
    """
    here = {config.topic for config in configs}
    gone = [] if again else [topic for topic in before if topic not in here]
    keys = {key for config in configs for key in config.components}
    moved = [
        topic for topic in gone if house_id in topic.split("/") and keys & before[topic].keys()
    ]
    found = [_message(topic, MIGRATE, retain=False) for topic in moved]
    # Before the new ones: Home Assistant warns of each entity that is then ended elsewhere.
    found += [_message(topic, b"", retain=True) for topic in gone]
    for config in configs:
        found += _configure(config, before.get(config.topic, {}))
    return found


def _configure(config: Config, before: Mapping[str, str]) -> list[Outgoing]:
    """A configuration; what it had before and has no more is taken out by an entry of its own."""
    if not config.whole:
        return [_message(config.topic, msgspec.json.encode(config.payload), retain=True)]
    ghosts = {key: part for key, part in before.items() if key not in config.components}
    # One entry cannot both end the old platform and begin the new one.
    turned = {key: part for key, part in before.items() if config.components.get(key, part) != part}
    steps = [_message(config.topic, _with(config.payload, turned), retain=False)] if turned else []
    return [*steps, _message(config.topic, _with(config.payload, ghosts), retain=True)]


def _with(payload: dict[str, Any], ghosts: Mapping[str, str]) -> bytes:
    ended = {key: {"platform": platform} for key, platform in ghosts.items()}
    return msgspec.json.encode({**payload, "components": {**payload["components"], **ended}})


def _message(topic: str, payload: bytes, *, retain: bool) -> Outgoing:
    return Outgoing(topic=topic, payload=payload, qos=1, retain=retain, content_type=JSON)


def _is_config(topic: str) -> bool:
    """Whether it looks like a topic of ours; a file that was tampered with clears no other."""
    levels = topic.split("/")
    ours = any(level.startswith("edged_") for level in levels)
    return ours and levels[-1] == "config" and not {"+", "#", "\0"} & set(topic)
