from __future__ import annotations

from msgspec.structs import replace

from edged.doctor.examine import examine
from edged.doctor.finding import exit_code
from edged.doctor.memory import memory
from tests.doctor.judging import FACTS
from tests.doctor.test_memory import chosen


def test_a_healthy_board_is_healthy() -> None:
    findings = examine(replace(FACTS, choice=chosen("ok")))
    bad = [each for each in findings if each.severity not in {"ok", "skipped"}]
    assert bad == []
    assert exit_code(findings) == 0


def test_each_finding_has_a_code_of_its_own_and_words() -> None:
    findings = examine(FACTS)
    codes = [each.code for each in findings]
    assert len(codes) == len(set(codes))
    assert all(each.text for each in findings)
    assert memory(FACTS.device, FACTS.choice) in findings
    assert exit_code(findings) == 1  # no model has room
