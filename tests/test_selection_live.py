"""The daemon chooses its model: real broker, real child, real files."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from edged.daemon.selection import IDLE_S
from edged.models import family
from edged.models.catalogtext import FamilyText
from edged.models.device import Roots, probe
from edged.models.figures import KINDS
from edged.models.figurestore import load_measured
from edged.models.fit import MIB
from edged.models.local import check_file
from edged.models.repacking import repackable
from edged.models.survey import need_with
from edged.settings import Config
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import POCKET, DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.process

PATIENCE_S = 60.0
BUTLER = {"name": "butler", "system": "You are the butler of this house. Answer shortly."}


def chooses(folder: Path, **model: Any) -> dict[str, Any]:
    return {
        "model": {
            "path": None,
            "directory": str(folder),
            "context": 512,
            "calibrate": False,
            **model,
        },
        "telemetry": {"idle_interval_s": 1.0},
        "engine": {"streams": 1, "threads": 1},
    }


def wait(client: TestClient, node: str, right: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The newest selection, once it is right."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for record in list(client.on(f"edged/{node}/selection"))[-1:]:
            selection: dict[str, Any] = record.json()
            if right(selection):
                return selection
        time.sleep(0.05)
    seen = [record.json() for record in client.on(f"edged/{node}/selection")]
    raise AssertionError(seen)


def candidate(selection: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in selection["candidates"] if each["id"] == name]
    return dict(found)


def kept(selection: dict[str, Any]) -> str:
    """How its keys and values are, in words."""
    return str(candidate(selection, "mine")["kv"])


def timed(selection: dict[str, Any], name: str) -> bool:
    speeds = candidate(selection, name)["speeds"]
    return any(speed["source"] == "measured" for speed in speeds)


def test_files_are_timed_chosen_among_and_explained(tmp_path: Path) -> None:
    shutil.copy(POCKET, tmp_path / "mine.gguf")
    (tmp_path / "broken.gguf").write_bytes(b"GGUF and nothing else")
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, config=chooses(tmp_path)) as daemon,
    ):
        node = daemon.node
        client.subscribe(f"edged/{node}/#")
        first = wait(client, node, lambda found: timed(found, "mine"))
        assert (first["chosen"], first["serves"], first["status"]) == ("mine", "mine", "ok")
        assert candidate(first, "pocket")["rule"] in {"order", "fallback"}
        client.publish(f"edged/{node}/command/select", b"pocket")
        wait(client, node, lambda found: found["serves"] == "pocket")
        client.publish(f"edged/{node}/command/select", b"auto")
        chosen = wait(
            client,
            node,
            lambda found: found["serves"] == "mine" and found["target_tps"] == 8.0,
        )
        assert chosen["sentence"].startswith("mine: ")
        assert (daemon.state / "figures" / "measured.json").exists()
        client.send(node, "Is the light on?", id="q")
        reply = client.wait(lambda record: record.topic.endswith("/reply/q"), PATIENCE_S)
        assert (reply.json()["status"], reply.json()["variant"]) == ("ok", "mine")
        # A target that nothing reaches is told as such, and a wrong one refused.
        client.publish(f"edged/{node}/command/target", b"fast")
        wrong = client.wait(
            lambda record: record.topic.endswith("target/result") and "error" in record.json(),
            PATIENCE_S,
        )
        assert "a number from 0.1 to 1000" in wrong.json()["error"]
        client.publish(f"edged/{node}/command/target", b"500")
        raised = wait(client, node, lambda found: found["target_tps"] == 500.0)
        assert raised["status"] in {"ok", "degraded"}


def test_a_limit_that_nothing_fits_is_told_with_its_numbers_and_the_pocket_serves(
    tmp_path: Path,
) -> None:
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, config=chooses(tmp_path, memory_mib=16)) as daemon,
    ):
        client.subscribe(f"edged/{daemon.node}/#")
        nothing = wait(client, daemon.node, lambda found: found["status"] == "none")
        assert (nothing["chosen"], nothing["serves"]) == (None, "pocket")
        assert "0.02 GB may be used" in nothing["sentence"]
        client.send(daemon.node, "Is the light on?", id="q")
        reply = client.wait(lambda record: record.topic.endswith("/reply/q"), PATIENCE_S)
        assert (reply.json()["status"], reply.json()["variant"]) == ("ok", "pocket")


def test_a_file_that_comes_into_the_directory_is_chosen_without_being_asked(tmp_path: Path) -> None:
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, config=chooses(tmp_path)) as daemon,
    ):
        client.subscribe(f"edged/{daemon.node}/#")
        wait(client, daemon.node, lambda found: timed(found, "pocket"))
        shutil.copy(POCKET, tmp_path / "mine.gguf")
        came = wait(client, daemon.node, lambda found: found["serves"] == "mine")
        assert candidate(came, "mine")["on_disk"]


def test_a_file_that_can_be_rearranged_is_timed_both_ways_while_nobody_asks(
    tmp_path: Path,
) -> None:
    if not repackable("q4_K", 256, probe(Roots()).cpu_features):
        pytest.skip("llama.cpp rearranges no Q4_K for this processor")
    recorded = family.figures()
    one = tuple(each for each in recorded.variants if each.file == "pocket-Q4_K.gguf")
    family.make(tmp_path, family=FamilyText(id=recorded.id, variants=one))
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, config=chooses(tmp_path)) as daemon,
    ):
        client.subscribe(f"edged/{daemon.node}/#")
        wait(client, daemon.node, lambda found: found["serves"] == "pocket-Q4_K")
        deadline = time.monotonic() + 2 * PATIENCE_S
        while (ways := {each.repack for each in load_measured(daemon.state)}) != {True, False}:
            assert time.monotonic() < deadline, ways
            time.sleep(0.2)
        client.send(daemon.node, "Is the light on?", id="q")
        reply = client.wait(lambda record: record.topic.endswith("/reply/q"), PATIENCE_S)
        assert (reply.json()["status"], reply.json()["variant"]) == ("ok", "pocket-Q4_K")


def test_a_file_is_timed_with_every_kind_of_cache_and_keeps_the_best(tmp_path: Path) -> None:
    shutil.copy(POCKET, tmp_path / "mine.gguf")
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, config=chooses(tmp_path) | {"personas": [BUTLER]}) as daemon,
    ):
        node = daemon.node
        client.subscribe(f"edged/{node}/#")
        wait(client, node, lambda found: " tok/s at 480 tokens beside " in kept(found))
        rests(lambda: load_measured(daemon.state))
        known = {each.kv_type: each for each in load_measured(daemon.state)}
        assert {kind: each.depths[-1].tokens for kind, each in known.items()} == dict.fromkeys(
            KINDS, 480
        )
        told = client.on(f"edged/{node}/selection")[-1].json()
        kind = candidate(told, "mine")["kv_type"]
        assert kept(told).startswith(f"kv {kind}: ")
        assert told["sentence"].endswith(kept(told))
        client.send(node, "Is the light on?", id="q", persona="butler")
        reply = client.wait(lambda record: record.topic.endswith("/reply/q"), PATIENCE_S)
        assert (reply.json()["status"], reply.json()["variant"]) == ("ok", "mine")
        # It settles: nothing is loaded or timed once more, and no persona is read a second time.
        rests(lambda: (load_measured(daemon.state), daemon.stderr().count("engine ready")))
        assert daemon.stderr().count("engine ready variant=mine") <= 1 + len(KINDS)
        assert daemon.stderr().count("persona=butler tokens=20 source=read") <= len(KINDS)


def rests(look: Callable[[], object]) -> None:
    """Wait until it is the same for longer than between a load and its timing."""
    deadline, since, before = time.monotonic() + PATIENCE_S, time.monotonic(), look()
    while time.monotonic() - since < 2 * IDLE_S:
        assert time.monotonic() < deadline, before
        time.sleep(0.2)
        if (now := look()) != before:
            since, before = time.monotonic(), now


def test_where_f16_has_no_room_q8_0_is_taken_at_once_and_told(tmp_path: Path) -> None:
    shutil.copy(POCKET, tmp_path / "mine.gguf")
    header = check_file(POCKET)
    config = chooses(tmp_path)
    plain, small = (
        need_with(msgspec.convert(config | {"node": "n"}, Config), header, probe(Roots()), kind)
        for kind in ("f16", "q8_0")
    )
    config["model"]["memory_mib"] = plain // MIB
    assert small <= plain // MIB * MIB < plain
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, config=config) as daemon,
    ):
        node = daemon.node
        client.subscribe(f"edged/{node}/#")
        told = wait(client, node, lambda found: timed(found, "mine"))
        assert (told["serves"], candidate(told, "mine")["kv_type"]) == ("mine", "q8_0")
        assert kept(told).startswith("kv q8_0: with f16 it would need ")
        assert {each.kv_type for each in load_measured(daemon.state)} == {"q8_0"}
