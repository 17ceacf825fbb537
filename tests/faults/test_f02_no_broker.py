"""F02: no broker when we start: ready all the same, one warning, and online when it comes."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.kit import QUICK, eventually, served, told, unharmed
from tests.rig.broker import Broker, free_port
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.fault]

# With a cap of 1 s there are some six tries in this time.
AWAY_S = 3.0
CONFIG = {"mqtt": {"reconnect_max_s": 1, "connect_timeout_s": 1}}


class ServiceManager:
    """What systemd hears on NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.01)
        self._heard = ""

    def heard(self, word: str) -> bool:
        try:
            while True:
                self._heard += self._socket.recv(4096).decode() + "\n"
        except TimeoutError:
            return word in self._heard

    def close(self) -> None:
        self._socket.close()


def test_a_broker_that_comes_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = ServiceManager(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    port = free_port()
    daemon = DaemonProcess(port, script=QUICK, config=CONFIG)
    daemon.patient = False
    with daemon:
        eventually(lambda: manager.heard("READY=1"), "READY without a broker")
        time.sleep(AWAY_S)
        lost = told(daemon, "broker")
        assert len(lost) == 1, lost
        assert "connection_refused" in lost[0]
        with Broker(port=port) as broker, TestClient(broker.port) as client:
            daemon.wait_online(10.0)
            served(client)
            assert daemon.terminate() == 0
        assert unharmed(daemon) == []
        assert manager.heard("STOPPING=1")
    manager.close()


def test_a_name_that_cannot_be_resolved() -> None:
    config = {"mqtt": {**CONFIG["mqtt"], "host": "nowhere.invalid"}}
    daemon = DaemonProcess(1883, script=QUICK, config=config)
    daemon.patient = False
    with daemon:
        eventually(lambda: "engine ready" in daemon.stderr(), "the engine is up")
        eventually(lambda: told(daemon, "broker lost"), "a warning")
        time.sleep(AWAY_S)
        lost = told(daemon, "broker")
        assert len(lost) == 1, lost
        assert "nowhere.invalid" in lost[0]
        assert daemon.terminate() == 0
        assert unharmed(daemon) == []


def test_a_port_that_accepts_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        daemon = DaemonProcess(silent.getsockname()[1], script=QUICK, config=CONFIG)
        daemon.patient = False
        with daemon:
            eventually(lambda: told(daemon, "broker lost", "no_answer"), "a warning")
            time.sleep(AWAY_S)
            assert len(told(daemon, "broker")) == 1
            assert daemon.terminate() == 0
            assert unharmed(daemon) == []
