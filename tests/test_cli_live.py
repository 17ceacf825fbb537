"""The client verbs against a running daemon with the fake engine."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.rig.broker import Broker
from tests.rig.daemon import DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Done = subprocess.CompletedProcess[str]

pytestmark = pytest.mark.process


@pytest.fixture(name="port", scope="module")
def _port() -> Iterator[int]:
    butler = {"name": "butler", "system": "Be brief."}
    with Broker() as broker, DaemonProcess(broker.port, script={}, config={"personas": [butler]}):
        yield broker.port


def edged(port: int, *arguments: str, stdin: str | None = None) -> Done:
    verb, *rest = arguments
    where = ["--host", "127.0.0.1", "--port", str(port), "--node", "test"]
    return subprocess.run(
        [sys.executable, "-m", "edged.cli", verb, *where, *rest],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_ask_streams_the_answer_and_tells_its_rates(port: int) -> None:
    done = edged(port, "ask", "hello out there")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["hello", "out", "there"]
    assert "tok/s" in done.stderr


def test_ask_reads_standard_input_and_prints_json(port: int) -> None:
    done = edged(port, "ask", "-", "--json", "--max-tokens", "1", stdin="hello out there")
    reply = json.loads(done.stdout)
    assert (reply["status"], reply["finish_reason"]) == ("ok", "length")
    assert reply["usage"]["completion_tokens"] == 1


def test_ask_for_an_answer_that_obeys_a_schema(port: int, tmp_path: Path) -> None:
    schema = tmp_path / "lamp.json"
    schema.write_text('{"properties": {"on": {"type": "boolean"}}, "required": ["on"]}')
    done = edged(port, "ask", "is it on?", "--schema", str(schema), "--json")
    assert json.loads(done.stdout)["json"] == {"on": False}
    assert json.loads(edged(port, "ask", "hm", "--schema", str(schema)).stdout) == {"on": False}
    schema.write_text("{}")
    assert "bad_schema" in edged(port, "ask", "is it on?", "--schema", str(schema)).stderr


def test_ask_names_a_persona(port: int) -> None:
    done = edged(port, "ask", "hello", "--persona", "butler", "--json")
    assert json.loads(done.stdout)["usage"]["prompt_tokens"] == 3
    assert "known: butler" in edged(port, "ask", "hello", "--persona", "cook").stderr


def test_ask_goes_on_with_a_session(port: int) -> None:
    for turns in range(2):
        done = edged(port, "ask", "hello", "--session", "evening")
        assert done.returncode == 0, done.stderr
        assert f"behind {turns} earlier turns" in done.stderr
    assert "session" in edged(port, "ask", "hello", "--session", "../x").stderr


def test_ask_for_a_choice(port: int) -> None:
    done = edged(port, "ask", "kitchen or bath?", "--choice", "garage", "--choice", "bath")
    assert done.stdout == "bath\n"
    assert "[bath 1" in done.stderr or "[bath 9" in done.stderr


def test_ask_for_an_answer_in_time(port: int) -> None:
    done = edged(port, "ask", "hello you", "--within", "60")
    assert (done.returncode, done.stdout) == (0, "hello you \n")
    assert "room for 256 tokens" in done.stderr
    assert "answer_within" in edged(port, "ask", "hello", "--within", "0").stderr


def test_a_refusal_is_exit_code_1_and_one_line(port: int) -> None:
    done = edged(port, "ask", "hello", "--temperature", "9")
    assert done.returncode == 1
    assert "rejected: bad_field" in done.stderr
    assert "temperature" in done.stderr


def test_nobody_on_that_node_is_a_timeout(port: int) -> None:
    done = edged(port, "ask", "hello", "--node", "nobody", "--timeout", "1")
    assert done.returncode == 1
    assert "no reply within 1 s" in done.stderr


def test_status_as_json_has_state_and_info(port: int) -> None:
    view = json.loads(edged(port, "status", "--json").stdout)
    assert view["availability"] == "online"
    assert view["state"]["status"] in {"ready", "busy"}
    assert view["info"]["limits"]["capacity"] == 64


def test_top_draws_what_status_knows(port: int) -> None:
    done = edged(port, "top", "--timeout", "1")
    assert done.returncode == 0
    assert "decode, last minute" in done.stdout
