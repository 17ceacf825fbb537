from __future__ import annotations

import io

import pytest
from rich.console import Console

from bench import home

pytestmark = pytest.mark.process


def test_every_blueprint_gets_what_it_waits_for_from_the_pocket_model() -> None:
    out = io.StringIO()
    found = home.evening(Console(file=out, width=200))
    assert found == {path.stem: True for path in home.BLUEPRINTS.glob("*.yaml")}, out.getvalue()
    told = out.getvalue()
    assert told.count("edged/edged/request <-") == 4
    assert "tts.speak:" in told
    assert "the firmware slows the board" in told


def test_a_blueprint_that_gets_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "PATIENCE_S", 0.2)
    out = io.StringIO()
    # its trigger is never fired
    scene = home.Scene(
        name="morning_summary",
        inputs={"entities": []},
        fire=None,
        action="notify.notify",
        shows=home.message,
    )
    assert home.evening(Console(file=out, width=200), (scene,)) == {"morning_summary": False}
    assert "nothing came of it" in out.getvalue()
