"""F21: the thermal sensor vanishes, lies and comes back: null and never 0, a careful pace, told."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import (
    NODE,
    STATE,
    eventually,
    last_state,
    problems,
    reply_of,
    streaming,
    told,
    verdict,
)
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import Witness
from tests.thermal.heat import HEAT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.fault]

CONFIG: Mapping[str, Any] = {
    "engine": {"threads": 4, "streams": 1},
    "telemetry": {"idle_interval_s": 1},
}
# Two minutes of decode, so that it is busy all along.
SCRIPT: Mapping[str, Any] = {"ms_per_token": 50, "tokens": 2400}
LIES = ["junk", "", "-274000", "0x10", "9" * 40, "nan", "1e5", "200000"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A cool Pi 5 whose files a test may spoil."""
    return shutil.copytree(HEAT / "cool", tmp_path / "tree")


def zone(tree: Path) -> Path:
    return tree / "sys/class/thermal/thermal_zone0/temp"


def temperature(client: TestClient) -> float | None:
    found: float | None = last_state(client).get("temp_c")
    return found


def test_a_sensor_that_lies_vanishes_and_comes_back(tree: Path) -> None:
    true = zone(tree).read_text()
    celsius = int(true) / 1000
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script=SCRIPT, config=CONFIG, sysfs_root=tree) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(STATE, f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+")
        client.send(NODE, "hello", id="long", max_tokens=2400)
        streaming(client, "long", 5)
        eventually(lambda: temperature(client) == pytest.approx(celsius), "the temperature is told")
        for lie in LIES:
            zone(tree).write_text(lie)
            eventually(lambda: temperature(client) is None, f"null for {lie!r}")
            zone(tree).write_text(true)
            eventually(lambda: temperature(client) is not None, f"back after {lie!r}")
        assert last_state(client)["throttle"] == "none", "no lie of a second slows it"
        assert problems(client) == set()

        zone(tree).unlink()
        eventually(lambda: "sensor_lost" in problems(client), "a lost sensor is a problem")
        eventually(lambda: last_state(client)["throttle"] == "paced", "a careful pace")
        assert temperature(client) is None
        shutil.rmtree(tree / "sys")
        shutil.rmtree(tree / "vcgencmd")
        shutil.rmtree(tree / "proc")
        streaming(client, "long", 5)
        shutil.copytree(HEAT / "cool", tree, dirs_exist_ok=True)
        eventually(lambda: problems(client) == set(), "the problem is gone")
        eventually(lambda: temperature(client) == pytest.approx(celsius), "the temperature is back")
        assert len(told(daemon, "problem", "sensor_lost")) == 1
        client.publish(f"edged/{NODE}/cancel", "long")
        assert reply_of(client, "long")["status"] == "cancelled"
        states = [record.json() for record in client.on(STATE) if record.payload]
        assert all(state["temp_c"] != 0 for state in states)
        assert verdict(daemon, witness.history(), asked=["long"]) == []


def test_a_board_without_any_sensor_serves(tmp_path: Path) -> None:
    with (
        Broker() as broker,
        DaemonProcess(
            broker.port, script={"ms_per_token": 5}, config=CONFIG, sysfs_root=tmp_path
        ) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(STATE)
        assert client.ask(NODE, "hello you")["status"] == "ok"
        eventually(lambda: last_state(client).get("requests"), "a state")
        state = last_state(client)
        assert [state[key] for key in ("temp_c", "clock_mhz", "fan_rpm")] == [None] * 3
        assert state["problems"] == []
        assert not told(daemon)


@pytest.mark.parametrize(
    ("board", "throttle", "problem"),
    [("throttled", "soft", "firmware_throttles"), ("undervoltage", "undervoltage", "undervoltage")],
)
def test_what_the_firmware_says_is_told(board: str, throttle: str, problem: str) -> None:
    with (
        Broker() as broker,
        DaemonProcess(
            broker.port,
            script={"ms_per_token": 5},
            config={**CONFIG, "thermal": {"enabled": False}},
            sysfs_root=HEAT / board,
        ) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(STATE)
        eventually(lambda: last_state(client).get("throttle") == throttle, "the word is told")
        eventually(lambda: problem in problems(client), "the problem is told")
        assert client.ask(NODE, "hello you")["status"] == "ok"
        word = "under-voltage" if throttle == "undervoltage" else "firmware throttles"
        assert len(told(daemon, word)) == 1
