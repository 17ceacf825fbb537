"""What is wrong now, told by its root: a cause silences its consequences, a blip stays quiet."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DETAIL = 200  # characters of a detail; a state message holds several problems
BLIP_S = 10.0  # a broker that restarts is back sooner; a problem shown for less helps nobody


class Severity(IntEnum):
    """How much still works."""

    WARNING = 1  # every request is answered, but something is worse than it should be
    ERROR = 2  # requests are refused or replies cannot leave


class Kind(msgspec.Struct, frozen=True):
    """One thing that can be wrong.

    Attributes:
        severity: How much still works.
        text: One line for the owner; `{detail}` is what the daemon knows more.
        depends_on: Codes that, while raised, explain this one away.
        visible_after: Seconds it must last before anyone is told.
    """

    severity: Severity
    text: str
    depends_on: tuple[str, ...] = ()
    visible_after: float = 0.0


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    Attributes:
        code: A key of `KINDS`.
        severity: How much still works.
        text: One printable line.
        since: Monotonic seconds at which it was first raised.
        depends_on: Codes that explain it away.
        visible_after: Seconds it must last before anyone is told.
    """

    code: str
    severity: Severity
    text: str
    since: float
    depends_on: tuple[str, ...]
    visible_after: float


_BROKER = ("broker_unreachable", "broker_untrusted", "broker_refused")
_DISK = ("disk_full", "disk_read_only")
_MODEL = ("model_missing", "model_bad")
_HEAT = ("too_hot", "undervoltage")

KINDS: Mapping[str, Kind] = {
    "broker_unreachable": Kind(
        Severity.ERROR, "No connection to the broker: {detail}", visible_after=BLIP_S
    ),
    "broker_untrusted": Kind(
        Severity.ERROR, "The broker's certificate is not accepted: {detail}", visible_after=BLIP_S
    ),
    "broker_refused": Kind(
        Severity.ERROR,
        "The broker refuses us: {detail}; check mqtt.username and mqtt.password_file",
        ("broker_unreachable", "broker_untrusted"),
    ),
    "name_taken": Kind(
        Severity.ERROR,
        "Another edged has our name: {detail}; give one of the two another node in its "
        "configuration",
    ),
    "subscribe_refused": Kind(
        Severity.ERROR, "The broker's rules do not let us read {detail}", _BROKER
    ),
    "publish_refused": Kind(
        Severity.ERROR, "The broker's rules do not let us write {detail}", _BROKER
    ),
    "discovery_refused": Kind(
        Severity.WARNING,
        "Home Assistant cannot see us, for the broker's rules do not let us write {detail}; "
        "allow it or set discovery.mode to off",
        _BROKER,
    ),
    "field_too_large": Kind(Severity.WARNING, "A field of a persona is not read: {detail}"),
    "outbox_full": Kind(Severity.WARNING, "Replies wait for the broker: {detail}", _BROKER, BLIP_S),
    "model_missing": Kind(Severity.ERROR, "The model file is not there: {detail}"),
    "model_bad": Kind(Severity.ERROR, "The model file cannot be used: {detail}"),
    "engine_fatal": Kind(
        Severity.ERROR, "The engine died too often and stays down: {detail}", _MODEL
    ),
    "engine_down": Kind(
        Severity.ERROR,
        "The engine died and starts again: {detail}",
        (*_MODEL, "engine_fatal"),
        BLIP_S,
    ),
    "backlog_full": Kind(
        Severity.WARNING,
        "Requests are refused because too many wait: {detail}",
        (*_MODEL, "engine_fatal", "engine_down", "too_hot"),
        60.0,  # a burst of one minute is what a backlog is for
    ),
    "too_hot": Kind(Severity.ERROR, "The board is too hot: {detail}"),
    "undervoltage": Kind(
        Severity.WARNING, "The power supply is too weak: {detail}; use one of 5 V and 5 A"
    ),
    "firmware_throttles": Kind(
        Severity.WARNING, "The firmware cuts the clock: {detail}", _HEAT, BLIP_S
    ),
    "sensor_lost": Kind(
        Severity.WARNING, "The temperature is not known, so we compute carefully: {detail}"
    ),
    "disk_full": Kind(Severity.WARNING, "No space left for our state: {detail}"),
    "disk_read_only": Kind(Severity.WARNING, "Our state cannot be written: {detail}"),
    "ledger_lost": Kind(
        Severity.WARNING, "Accepted requests would not survive a restart: {detail}", _DISK
    ),
    "download_failed": Kind(
        Severity.WARNING, "A better model cannot be fetched: {detail}", visible_after=BLIP_S
    ),
    "prefixes_not_saved": Kind(
        Severity.WARNING, "What is read ahead would not survive a restart: {detail}", _DISK
    ),
    "config_rejected": Kind(
        Severity.WARNING, "The new configuration has mistakes, the old one is in use: {detail}"
    ),
}


class Health:
    """The problems of now."""

    def __init__(self, kinds: Mapping[str, Kind] = KINDS) -> None:
        self._kinds = kinds
        self._raised: dict[str, Problem] = {}

    def raise_(self, code: str, now: float, detail: str = "") -> bool:
        """Say that something is wrong; saying it again renews the detail and keeps `since`.

        Args:
            code: A key of the table; anything else is a KeyError.
            now: Monotonic seconds.
            detail: What is known more; may come from outside, so it is cut and escaped.

        Returns:
            Whether it was not raised before.
        """
        kind = self._kinds[code]
        before = self._raised.get(code)
        self._raised[code] = Problem(
            code=code,
            severity=kind.severity,
            text=kind.text.format(detail=_one_line(detail) or "no more is known"),
            since=now if before is None else before.since,
            depends_on=kind.depends_on,
            visible_after=kind.visible_after,
        )
        return before is None

    def clear(self, code: str) -> bool:
        """Say that it is well again; returns whether it was raised."""
        self._kinds[code]  # a code nobody can raise is a mistake in the caller
        return self._raised.pop(code, None) is not None

    def active(self, code: str) -> bool:
        """Whether a code is raised, visible or not."""
        return code in self._raised

    def visible(self, now: float) -> list[Problem]:
        """What to tell, the worst first and then the oldest.

        Args:
            now: Monotonic seconds.
        """
        shown = [problem for problem in self._raised.values() if self._is_visible(problem, now)]
        return sorted(shown, key=lambda problem: (-problem.severity, problem.since, problem.code))

    def _is_visible(self, problem: Problem, now: float) -> bool:
        # a cause silences from its first moment, else its consequences would flash up before it
        silenced = any(cause in self._raised for cause in problem.depends_on)
        return not silenced and max(0.0, now - problem.since) >= problem.visible_after


def _one_line(text: str) -> str:
    safe = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[:MAX_DETAIL])
    return safe[:MAX_DETAIL]
