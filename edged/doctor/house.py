"""Checks of what is around edged: the broker, the clock, its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.doctor.facts import Skipped
from edged.doctor.finding import Finding, ok, skipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edged.doctor.facts import Broker, Unit

# What our unit asks of systemd; a drop-in or an old copy of it may have taken some away.
HARDENING = {
    "NoNewPrivileges": ("yes",),
    "ProtectSystem": ("strict",),
    "ProtectHome": ("yes",),
    "PrivateTmp": ("yes",),
    "ProtectKernelTunables": ("yes",),
    "RestrictNamespaces": ("yes",),
    "MemoryDenyWriteExecute": ("yes",),
}
UNLIMITED = "infinity"
MAX_SILENT = 8  # fields that are named; a house without its sensors has dozens
PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "NRestarts",
    "NeedDaemonReload",
    "MemoryHigh",
    "MemoryMax",
    "User",
    *HARDENING,
)


def configuration(notes: Sequence[str]) -> Finding:
    """Whether the configuration still has words of older versions."""
    if not notes:
        return ok("configuration", "the configuration is written in today's words")
    return Finding(
        code="configuration_old",
        severity="advice",
        text="the configuration has words of an older version",
        evidence="; ".join(notes),
        advice="they still count; change them before a later version drops them",
    )


def broker(found: Broker | Skipped) -> Finding:
    """Whether the broker lets us in and lets us hear our own topics."""
    if isinstance(found, Skipped):
        return skipped("broker", found.reason)
    if found.problem:
        return Finding(
            code="broker_refuses",
            severity="error",
            text="the broker cannot be used",
            evidence=found.problem,
            advice="see mqtt in the configuration: host, port, username, password_file; a password "
            "in /etc/credstore is read by root alone (sudo)",
        )
    # Mosquitto grants subscriptions that its rules then hide, so silence is told as it is.
    heard = found.availability or "unheard of: it never ran, or the broker's rules hide it"
    evidence = f"connected to {found.where} and subscribed; edged there is {heard}"
    return ok("broker", "the broker lets us in", evidence)


def fields(found: Broker | Skipped) -> list[Finding]:
    """Whether the fields of personas have their values; nothing where there are none."""
    if isinstance(found, Skipped) or found.problem or not found.topics:
        return []
    if not found.silent:
        return [ok("fields", "each field of the personas has a value", f"{found.topics} topics")]
    shown = ", ".join(found.silent[:MAX_SILENT])
    more = len(found.silent) - MAX_SILENT
    finding = Finding(
        code="fields_silent",
        severity="advice",
        text="for some fields of personas nothing of use is retained",
        evidence=shown + (f" and {more} more" if more > 0 else ""),
        advice="prompts say their default until a message comes: publish it retained, and see that "
        "path leads to a value in it and that the broker's rules let edged read it",
    )
    return [finding]


def clock(synchronised: bool | Skipped) -> Finding:  # noqa: FBT001 - a fact, not a switch
    """Whether the time of day is right: certificates and records go by it."""
    if isinstance(synchronised, Skipped):
        return skipped("clock", synchronised.reason)
    if synchronised:
        return ok("clock", "the clock is in step with a time server")
    return Finding(
        code="clock_unset",
        severity="warning",
        text="the clock is not in step with a time server",
        evidence="systemd-timesyncd has not synchronised it since boot",
        advice="a Pi without a battery wakes in the past, and TLS then fails: timedatectl status",
    )


def unit(found: Unit | Skipped) -> list[Finding]:
    """Whether the service is there, runs, and is as closed as we made it."""
    if isinstance(found, Skipped):
        return [skipped("unit", found.reason)]
    told = found.properties
    if told.get("LoadState") != "loaded":
        evidence = f"LoadState={told.get('LoadState', 'unknown')}"
        return [
            Finding(
                code="unit_missing",
                severity="advice",
                text="edged.service is not installed",
                evidence=evidence,
                advice="install the Debian package, so that edged starts with the board",
            )
        ]
    return [_running(told), _hardening(told), _limits(told)]


def _running(told: Mapping[str, str]) -> Finding:
    state = f"{told.get('ActiveState', 'unknown')} ({told.get('SubState', 'unknown')})"
    evidence = f"{state}, {told.get('NRestarts', 'unknown')} restarts"
    if told.get("ActiveState") == "failed":
        return Finding(
            code="unit_failed",
            severity="error",
            text="edged.service has failed",
            evidence=f"{evidence}, Result={told.get('Result', 'unknown')}",
            advice="journalctl -xu edged",
        )
    if told.get("NeedDaemonReload") == "yes":
        return Finding(
            code="unit_stale",
            severity="warning",
            text="the unit's file was changed and not read again",
            evidence=evidence,
            advice="sudo systemctl daemon-reload && sudo systemctl restart edged",
        )
    return ok("unit", "edged.service is installed", evidence)


def _hardening(told: Mapping[str, str]) -> Finding:
    open_ = [
        f"{name}={told.get(name, 'unknown')}"
        for name, closed in HARDENING.items()
        if told.get(name) not in closed
    ]
    if not open_:
        return ok("hardening", "the unit is as closed as we made it", told.get("User", ""))
    return Finding(
        code="unit_open",
        severity="warning",
        text="the unit is less closed than the one in the package",
        evidence=", ".join(open_),
        advice="systemctl cat edged shows which drop-in; systemd-analyze security edged scores it",
    )


def _limits(told: Mapping[str, str]) -> Finding:
    limited = {
        name: told[name]
        for name in ("MemoryHigh", "MemoryMax")
        if told.get(name, UNLIMITED) not in {UNLIMITED, ""}
    }
    evidence = ", ".join(f"{name}={value}" for name, value in limited.items())
    if not limited:
        return ok("unit_memory", "the unit has no limit of memory")
    return Finding(
        code="unit_memory_limited",
        severity="advice",
        text="the unit has a limit of memory, and a mapped model counts towards it",
        evidence=evidence,
        advice="below the model's size every token reads the disk: use model.memory_mib instead",
    )
