"""`command/<verb>`: what an owner may tell a running edged over MQTT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_ARGUMENT = 256  # bytes of a payload; the longest names a model file
#: Does what a verb says with the payload; raises ValueError where that makes no sense.
Action: TypeAlias = "Callable[[str], None]"


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `command/<verb>/result` says."""

    verb: str
    status: Literal["ok", "error"]
    error: str | None = None


def run(verb: str, payload: bytes, actions: Mapping[str, Action]) -> Result:
    """Performs one verb.

    Args:
        verb: The topic level after `command/`.
        payload: Of the message.
        actions: What each known verb does.
    """
    action = actions.get(verb)
    if action is None:
        known = ", ".join(sorted(actions))
        return Result(verb=verb, status="error", error=f"unknown command; known are {known}")
    try:
        action(_text(payload))
    except ValueError as error:
        return Result(verb=verb, status="error", error=str(error))
    return Result(verb=verb, status="ok")


def _text(payload: bytes) -> str:
    if len(payload) > MAX_ARGUMENT:
        message = f"the payload has {len(payload)} bytes, over {MAX_ARGUMENT}"
        raise ValueError(message)
    try:
        return payload.decode().strip()
    except UnicodeDecodeError:
        message = "the payload is not UTF-8"
        raise ValueError(message) from None


def tokens_per_second(text: str) -> float:
    """A target as `command/target` gives it.

    Raises:
        ValueError: It is no number from 0.1 to 10000.
    """
    try:
        target = float(text)
    except ValueError:
        target = 0.0
    # Slower than anyone waits; and faster than the pocket model, with its 2,900 on a desktop.
    if not 0.1 <= target <= 10_000:  # noqa: PLR2004 - see above
        message = "the payload must be tokens per second, a number from 0.1 to 10000"
        raise ValueError(message)
    return target


def switched_on(text: str) -> bool:
    """What a switch says.

    Raises:
        ValueError: It is neither ON nor OFF.
    """
    if text not in {"ON", "OFF"}:
        message = "the payload must be ON or OFF"
        raise ValueError(message)
    return text == "ON"
