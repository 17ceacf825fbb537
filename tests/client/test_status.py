from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edged.client.status import status, top
from edged.mqtt.topics import Topics
from tests.client.fake_link import FakeLink

if TYPE_CHECKING:
    import pytest

TOPICS = Topics("edged", ())
STATE = {"status": "ready", "tps": None, "requests": {"ok": 3}, "uptime_s": 61}
INFO = {"version": "1", "model": {"name": "pocket", "architecture": "qwen3", "bytes": 10_000_000}}


def script(availability: str = "online") -> list[tuple[str, Any]]:
    return [(TOPICS.availability, availability), (TOPICS.state, STATE), (TOPICS.info, INFO)]


def test_status_shows_the_retained_topics(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(FakeLink(script()), TOPICS, timeout=1, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "pocket (qwen3, 10 MB)" in shown
    assert "1 min 1 s" in shown


def test_status_as_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(FakeLink(script()), TOPICS, timeout=1, as_json=True) == 0
    view = json.loads(capsys.readouterr().out)
    assert view == {"node": "edged", "availability": "online", "state": STATE, "info": INFO}


def test_an_offline_node_is_a_failure() -> None:
    assert status(FakeLink(script("offline")), TOPICS, timeout=1, as_json=False) == 1


def test_a_node_never_seen_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(FakeLink([]), TOPICS, timeout=0.01, as_json=False) == 1
    assert "node edged" in capsys.readouterr().err


def test_top_as_json_prints_each_state(capsys: pytest.CaptureFixture[str]) -> None:
    assert top(FakeLink(script()), TOPICS, seconds=0.05, as_json=True) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == STATE


def test_top_draws_until_the_time_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert top(FakeLink(script()), TOPICS, seconds=0.05, as_json=False) == 0
    assert "pocket" in capsys.readouterr().out


def test_control_c_ends_top() -> None:
    assert top(FakeLink([], interrupt=True), TOPICS, seconds=5, as_json=False) == 0
