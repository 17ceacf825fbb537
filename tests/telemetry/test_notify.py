from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from edged.telemetry import notify as notify_file
from edged.telemetry.notify import MAX_STATUS, Notifier
from tests.rig.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    pytest.importorskip("systemd.daemon")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def heard(manager: socket.socket) -> str:
    return manager.recv(4096).decode()


def test_every_verb_reaches_a_real_socket(manager: socket.socket) -> None:
    told = Notifier(FakeClock(monotonic=12.5))
    assert told.ready("model loaded")
    assert heard(manager) == "READY=1\nSTATUS=model loaded"
    assert told.ready()
    assert heard(manager) == "READY=1"
    assert told.status("8.0 tok/s")
    assert heard(manager) == "STATUS=8.0 tok/s"
    assert told.watchdog()
    assert heard(manager) == "WATCHDOG=1"
    assert told.hang()
    assert heard(manager) == "WATCHDOG=trigger"
    assert told.reloading()
    assert heard(manager) == "RELOADING=1\nMONOTONIC_USEC=12500000"
    assert told.stopping("draining")
    assert heard(manager) == "STOPPING=1\nSTATUS=draining"
    assert told.extend_timeout(1.5)
    assert heard(manager) == "EXTEND_TIMEOUT_USEC=1500000"


def test_reloading_carries_the_systems_own_monotonic_time(manager: socket.socket) -> None:
    assert Notifier().reloading()
    assert int(heard(manager).rpartition("=")[2]) > 0


def test_a_status_is_one_short_line(manager: socket.socket) -> None:
    assert Notifier().status("a\nREADY=1\x1b" + "x" * 1000)
    said = heard(manager)
    assert said.startswith(r"STATUS=a\nREADY=1\x1bxxx")
    assert said.isprintable()
    assert len(said) == len("STATUS=") + MAX_STATUS


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    told = Notifier()
    assert not told.ready("x")
    assert not told.status("")
    assert not told.watchdog()


def test_a_manager_that_went_away_is_no_error(tmp_path: Path) -> None:
    def refused(_: str) -> bool:
        raise ConnectionRefusedError

    told = Notifier(send=refused, environ={"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert not told.ready()


def test_without_the_library_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "systemd", None)
    assert notify_file._systemd_notify() is None
    assert not Notifier(environ={"NOTIFY_SOCKET": "/x"}).ready()


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "x"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_wants_a_sign_at_half_its_time(
    environ: dict[str, str], interval: float | None
) -> None:
    assert Notifier(environ=environ).watchdog_interval_s == interval
