"""What differs between two configurations, and which of it a running daemon can take over."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.settings import Config

#: Taken over between two events of the loop, while requests run. All else is bound to something
#: that is made once: a connection, a child, a ledger, a look at the board.
LIVE = frozenset(
    {
        "engine.target_tps",
        "serving.capacity",
        "serving.drain_s",
        "serving.max_tokens",
        "serving.max_tokens_limit",
        "serving.per_client",
        "sessions.capacity",
        "sessions.max_age_s",
        "sessions.max_tokens",
        "telemetry.log_level",
        "telemetry.state_interval_s",
    }
)


def changed(old: msgspec.Struct, new: msgspec.Struct) -> tuple[str, ...]:
    """The keys that differ, such as `mqtt.port`; a section that came or went is one key."""
    return tuple(_changed(old, new, ""))


def _changed(old: msgspec.Struct, new: msgspec.Struct, prefix: str) -> Iterator[str]:
    for name in old.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, msgspec.Struct) and isinstance(after, msgspec.Struct):
            yield from _changed(before, after, f"{prefix}{name}.")
        elif before != after:
            yield f"{prefix}{name}"


def taken_over(running: Config, new: Config) -> Config:
    """The running configuration with what can be taken over from the new one."""
    sections: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for path in LIVE:
        section, key = path.split(".")
        sections[section][key] = getattr(getattr(new, section), key)
    replaced = {
        section: msgspec.structs.replace(getattr(running, section), **values)
        for section, values in sections.items()
    }
    return msgspec.structs.replace(running, **replaced)


def told(running: Config, new: Config) -> str:
    """What changes now and what only at the next start, in one line without a value."""
    keys = changed(running, new)
    now = [key for key in keys if key in LIVE]
    later = [key for key in keys if key not in LIVE]
    parts = []
    if now:
        parts.append(f"in use now: {', '.join(now)}")
    if later:
        parts.append(f"from the next start on: {', '.join(later)}")
    return "; ".join(parts) or "nothing has changed"
