"""The README's conversation runs as printed, with nothing but mosquitto's own clients."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edged import cli
from edged.settings import Config
from tests.rig.broker import Broker
from tests.rig.daemon import DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

README = Path(__file__).parents[1] / "README.md"


def shell_block(heading: str) -> str:
    """The first `sh` block below a heading."""
    section = README.read_text().split(f"\n## {heading}\n", 1)[1]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found.group(1)


def objects(lines: Sequence[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.mark.process
def test_the_conversation_runs_as_printed(tmp_path: Path) -> None:
    with Broker() as broker:
        # mosquitto's clients read their options from here: the block itself stays untouched.
        for client in ("mosquitto_pub", "mosquitto_sub"):
            (tmp_path / client).write_text(f"--port {broker.port}\n")
        environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
        with DaemonProcess(broker.port, node=Config().node, config={"engine": {"threads": 1}}):
            done = subprocess.run(
                ["bash", "-euc", shell_block("First prompt")],
                env=environment,
                capture_output=True,
                text=True,
                timeout=100,
                check=True,
            )
    lines = done.stdout.splitlines()
    replies = [said for said in objects(lines) if said.get("finish_reason") is not None]
    assert [reply["status"] for reply in replies] == ["ok", "ok"]
    assert all(reply["text"] for reply in replies)
    assert replies[1]["id"] == "lamp-1"
    deltas = [said for said in objects(lines) if "seq" in said]
    assert "".join(said["delta"] for said in deltas) == replies[1]["text"]
    assert deltas[-1]["done"] is True
    assert "online" in lines
    (state,) = [said for said in objects(lines) if "uptime_s" in said]
    assert state["variant"] == replies[0]["variant"]


def test_every_topic_of_the_design_is_in_the_table() -> None:
    table = README.read_text()
    for topic in ("request", "cancel", "reply/<id>", "stream/<id>", "progress/<id>", "state"):
        assert f"edged/<node>/{topic}`" in table


def test_the_shipped_configuration_has_no_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-config", str(README.parent / "config" / "edged.yaml")]) == 0
    assert "no mistakes" in capsys.readouterr().out
