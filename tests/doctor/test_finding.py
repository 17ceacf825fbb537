from __future__ import annotations

import pytest

from edged.doctor.finding import SEVERITIES, Finding, Severity, exit_code, ok, skipped, worst


def finding(severity: Severity) -> Finding:
    return Finding(code="x", severity=severity, text="x")


def test_severities_are_in_order() -> None:
    assert SEVERITIES == ("ok", "skipped", "advice", "warning", "error")


@pytest.mark.parametrize(
    ("severities", "grave", "code"),
    [
        ((), "ok", 0),
        (("ok", "skipped"), "skipped", 0),
        (("ok", "advice"), "advice", 0),
        (("warning", "advice"), "warning", 1),
        (("warning", "error", "ok"), "error", 1),
    ],
)
def test_the_worst_decides_the_exit_code(
    severities: tuple[Severity, ...], grave: Severity, code: int
) -> None:
    findings = [finding(each) for each in severities]
    assert worst(findings) == grave
    assert exit_code(findings) == code


def test_what_was_not_looked_at_says_why() -> None:
    assert skipped("fan", "no sensor").text == "not looked at: no sensor"
    assert ok("fan", "it turns", "900 rpm").evidence == "900 rpm"
