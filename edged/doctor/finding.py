"""One thing that was looked at: how grave it is, what shows it, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["ok", "skipped", "advice", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
BAD = ("warning", "error")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check came to.

    Attributes:
        code: Which check, in a word, and what it found.
        severity: `ok`; `skipped`, as nothing could be looked at; `advice`, it works and could be
            better; `warning`, something is worse than it should be; `error`, it must be mended.
        text: One sentence.
        evidence: What was read, with numbers and units.
        advice: What to do; empty if nothing.
    """

    code: str
    severity: Severity
    text: str
    evidence: str = ""
    advice: str = ""


def ok(code: str, text: str, evidence: str = "") -> Finding:
    """All is well."""
    return Finding(code=code, severity="ok", text=text, evidence=evidence)


def skipped(code: str, reason: str) -> Finding:
    """Nothing could be looked at."""
    return Finding(code=code, severity="skipped", text=f"not looked at: {reason}")


def worst(findings: Iterable[Finding]) -> Severity:
    """The gravest severity among them; `ok` of none."""
    return max((each.severity for each in findings), key=SEVERITIES.index, default="ok")


def exit_code(findings: Iterable[Finding]) -> int:
    """0 if nothing is worse than advice, else 1."""
    return int(worst(findings) in BAD)
