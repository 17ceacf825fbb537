from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from edged.doctor.facts import Skipped, Unit
from edged.doctor.house import PROPERTIES
from edged.doctor.service import SYSTEMCTL, unit

if TYPE_CHECKING:
    from pathlib import Path


def printing(text: str, code: int = 0) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys; print({text!r}); sys.exit({code})")


def test_properties_are_read_line_by_line(tmp_path: Path) -> None:
    found = unit(printing("LoadState=loaded\nUser=edged\nStatus=a=b"), tmp_path)
    assert found == Unit({"LoadState": "loaded", "User": "edged", "Status": "a=b"})


def test_systemd_is_asked_for_what_is_judged() -> None:
    assert SYSTEMCTL[:3] == ("systemctl", "show", "edged.service")
    assert all(name in SYSTEMCTL[3] for name in PROPERTIES)


def test_without_systemd_nothing_is_asked(tmp_path: Path) -> None:
    assert unit(("/nonexistent",), tmp_path / "none") == Skipped("systemd does not run here")


def test_a_command_that_fails_is_no_answer(tmp_path: Path) -> None:
    for command in (printing("x", 1), ("/nonexistent",)):
        found = unit(command, tmp_path)
        assert isinstance(found, Skipped)
        assert found.reason.startswith("systemctl does not answer")
