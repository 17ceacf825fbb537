"""`command/<verb>`: what an owner may tell a running edged over MQTT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `command/<verb>/result` says."""

    verb: str
    status: Literal["ok", "error"]
    error: str | None = None


def run(verb: str, actions: Mapping[str, Callable[[], None]]) -> Result:
    """Performs one verb.

    Args:
        verb: The topic level after `command/`.
        actions: What each known verb does.
    """
    action = actions.get(verb)
    if action is None:
        known = ", ".join(sorted(actions))
        return Result(verb=verb, status="error", error=f"unknown command; known are {known}")
    action()
    return Result(verb=verb, status="ok")
