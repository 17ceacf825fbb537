"""F22 and a full disk: a state directory that takes nothing costs durability, not answers."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import (
    NODE,
    eventually,
    problems,
    reply_of,
    served,
    streaming,
    told,
    unharmed,
)
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.disk import fill, remount, small_disk
from tests.rig.witness import Witness, exactly_one_reply

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.fault]

SCRIPT: Mapping[str, Any] = {"ms_per_token": 20}
CONFIG: Mapping[str, Any] = {"telemetry": {"state_interval_s": 0.1, "idle_interval_s": 1}}
RETRY_S = 45.0  # edged tries the disk again every 30 s


def fault(kind: str, disk: Path) -> list[str]:
    """Break the disk, ask, mend it, and see that what is accepted then survives a kill."""
    config = {**CONFIG, "serving": {"state_dir": str(disk)}}
    if kind == "read-only":
        remount(disk, "ro")
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script=SCRIPT, config=config) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+")
        if kind == "full":
            served(client)
            fill(disk)
        for number in range(3):
            client.send(NODE, "hello you", id=f"lost-{number}")
        for number in range(3):
            assert reply_of(client, f"lost-{number}")["status"] == "ok"
        eventually(lambda: problems(witness) == {"ledger_lost"}, "ledger_lost is told")

        if kind == "full":
            (disk / "filler").unlink()
        else:
            remount(disk, "rw")
        eventually(lambda: problems(witness) == set(), "well again", RETRY_S)
        client.send(NODE, "one two three four five six seven eight nine ten", id="running")
        client.send(NODE, "hello", id="waiting")
        streaming(client, "running", 2)
        daemon.kill()
        daemon.start()
        assert reply_of(client, "running")["status"] == "ok"
        assert reply_of(client, "waiting")["status"] == "ok"
        served(client)
        asked = ["lost-0", "lost-1", "lost-2", "running", "waiting"]
        wrong = exactly_one_reply(witness.history(), asked)
        if len(told(daemon, "ledger lost")) != 1:
            wrong.append("the cause is to be told once")
        return wrong + unharmed(daemon)


def test_a_disk_that_takes_nothing_costs_no_answer() -> None:
    kinds = ("full", "read-only")
    # Both wait for the next try: at once they take as long as one.
    with small_disk() as one, small_disk() as other, ThreadPoolExecutor(2) as pool:
        found = dict(zip(kinds, pool.map(fault, kinds, (one, other)), strict=True))
    assert found == {kind: [] for kind in kinds}


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = {**CONFIG, "serving": {"state_dir": str(tmp_path / "file" / "state")}}
    with Broker() as broker:
        daemon = DaemonProcess(broker.port, script=SCRIPT, config=config)
        daemon.patient = False
        with daemon:
            assert daemon.process.wait(20) == 1
            assert "file/state" in daemon.stderr()
            assert unharmed(daemon) == []


def test_a_ledger_of_rubbish_is_put_aside() -> None:
    with (
        Broker() as broker,
        DaemonProcess(broker.port, script=SCRIPT) as daemon,
        TestClient(broker.port) as client,
    ):
        served(client)
        daemon.kill()
        ledger = daemon.state / "ledger.sqlite3"
        for part in daemon.state.iterdir():
            part.unlink()
        ledger.write_bytes(os.urandom(20_000))
        daemon.start()
        served(client)
        assert len(told(daemon, "ledger started anew")) == 1
        assert (daemon.state / "ledger.sqlite3.bad").exists()
        assert unharmed(daemon) == []
