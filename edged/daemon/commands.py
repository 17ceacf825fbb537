"""`command/<verb>`: what an owner may tell a running edged over MQTT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from edged.serving.message import is_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_ARGUMENT = 256  # bytes of a payload; the longest names a model file
#: Does what a verb says with the payload, and may count what it did it to; raises ValueError where
#: that makes no sense.
Action: TypeAlias = "Callable[[str], int | None]"
# The last one is what a button of Home Assistant sends.
EVERYTHING = ("", "all", "PRESS")


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `command/<verb>/result` says.

    Attributes:
        verb: What was asked.
        status: Whether it was done.
        error: Why it was not.
        sessions: How many sessions were forgotten.
    """

    verb: str
    status: Literal["ok", "error"]
    error: str | None = None
    sessions: int | None = None


class Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `command/forget` may name."""

    session: str


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
        count = action(_text(payload))
    except ValueError as error:
        return Result(verb=verb, status="error", error=str(error))
    return Result(verb=verb, status="ok", sessions=count)


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


def session(text: str) -> str | None:
    """Which session `command/forget` means; None: all, and with them beginnings of prompts.

    Raises:
        ValueError: It is neither an id nor `{"session": id}`.
    """
    if text in EVERYTHING:
        return None
    named = _named(text) if text.startswith("{") else text
    if not is_id(named):
        message = 'the payload must be a session, as an id or {"session": id}; or all, or nothing'
        raise ValueError(message)
    return named


def _named(text: str) -> str | None:
    try:
        return msgspec.json.decode(text, type=Session).session
    except msgspec.MsgspecError:
        return None
