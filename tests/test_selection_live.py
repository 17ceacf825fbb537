"""The daemon chooses its model: real broker, real child, real files."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import POCKET, DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.process

PATIENCE_S = 60.0


def chooses(folder: Path, **model: Any) -> dict[str, Any]:
    return {
        "model": {"path": None, "directory": str(folder), "context": 512, "calibrate": False, **model},
        "telemetry": {"idle_interval_s": 1.0},
        "engine": {"streams": 1, "threads": 1},
    }


def wait(client: TestClient, node: str, right: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first selection that is right."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for record in list(client.on(f"edged/{node}/selection")):
            selection: dict[str, Any] = record.json()
            if right(selection):
                return selection
        time.sleep(0.05)
    seen = [record.json() for record in client.on(f"edged/{node}/selection")]
    raise AssertionError(seen)


def candidate(selection: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in selection["candidates"] if each["id"] == name]
    return dict(found)


def test_a_file_in_the_directory_is_loaded_timed_and_explained(tmp_path: Path) -> None:
    shutil.copy(POCKET, tmp_path / "mine.gguf")
    (tmp_path / "broken.gguf").write_bytes(b"GGUF and nothing else")
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, config=chooses(tmp_path)) as daemon,
    ):
        client.subscribe(f"edged/{daemon.node}/#")
        timed = wait(
            client,
            daemon.node,
            lambda found: candidate(found, "mine")["tps_source"] == "measured",
        )
        assert timed["chosen"] == "mine"
        assert timed["status"] == "ok"
        assert "mine has the highest quality" in timed["sentence"]
        assert candidate(timed, "pocket")["rule"] == "later_family"
        assert (daemon.state / "figures" / "measured.json").exists()
        client.send(daemon.node, "Is the light on?", id="q")
        reply = client.wait(lambda record: record.topic.endswith("/reply/q"), PATIENCE_S)
        assert (reply.json()["status"], reply.json()["variant"]) == ("ok", "mine")


def test_another_target_or_a_wish_changes_the_model_and_is_explained(tmp_path: Path) -> None:
    shutil.copy(POCKET, tmp_path / "mine.gguf")
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, config=chooses(tmp_path)) as daemon,
    ):
        client.subscribe(f"edged/{daemon.node}/#")
        wait(client, daemon.node, lambda found: found["chosen"] == "mine")
        client.publish(f"edged/{daemon.node}/command/select", b"pocket")
        pinned = wait(client, daemon.node, lambda found: found["chosen"] == "pocket")
        assert candidate(pinned, "mine")["rule"] == "not_pinned"
        client.publish(f"edged/{daemon.node}/command/select", b"auto")
        client.publish(f"edged/{daemon.node}/command/target", b"999")
        raised = wait(client, daemon.node, lambda found: found["target_tps"] == 999.0)
        assert raised["status"] in {"ok", "degraded"}
        client.publish(f"edged/{daemon.node}/command/target", b"fast")
        wrong = client.wait(
            lambda record: record.topic.endswith("target/result") and "error" in record.json(),
            PATIENCE_S,
        )
        assert "a number from 0.1 to 1000" in wrong.json()["error"]


def test_a_limit_that_nothing_fits_is_told_with_its_numbers_and_the_pocket_serves(
    tmp_path: Path,
) -> None:
    shutil.copy(POCKET, tmp_path / "mine.gguf")
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, config=chooses(tmp_path, memory_mib=16)) as daemon,
    ):
        client.subscribe(f"edged/{daemon.node}/#")
        nothing = wait(client, daemon.node, lambda found: found["status"] == "none")
        assert nothing["chosen"] is None
        assert "0.02 may be used" in nothing["sentence"]
        client.send(daemon.node, "Is the light on?", id="q")
        reply = client.wait(lambda record: record.topic.endswith("/reply/q"), PATIENCE_S)
        assert (reply.json()["status"], reply.json()["variant"]) == ("ok", "pocket")
