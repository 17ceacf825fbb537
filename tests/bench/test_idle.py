"""The idle bench adds up both processes and waits for the datagram systemd waits for."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from bench import idle
from bench.idle import MIB, Start, Usage, judge, wait_notified

if TYPE_CHECKING:
    from pathlib import Path

STARTS = [Start(notified_s=s, loaded_s=s + 1) for s in (1.0, 3.0, 1.5)]
MEMORY = {"rss": 40 * MIB, "uss": 30 * MIB, "worker rss": 90 * MIB}


def test_cpu_is_that_of_both_in_per_cent_of_one_core() -> None:
    before = Usage(at=10.0, cpu_s=(1.0, 2.0), switches=100)
    after = Usage(at=70.0, cpu_s=(1.06, 2.03), switches=220)
    result = judge(STARTS, (before, after), MEMORY)
    values = {figure.name: figure.value for figure in result.figures}
    assert values["CPU of daemon and worker, of one core"] == pytest.approx(0.15)
    assert values["of that the daemon"] == pytest.approx(0.1)
    assert values["wake-ups of both"] == pytest.approx(2.0)
    assert values["memory of the daemon, RSS"] == 40
    assert values["start to READY=1, warm, median"] == 1.5
    assert result.ok


def test_too_much_memory_misses_the_goal() -> None:
    usage = Usage(at=0.0, cpu_s=(0.0,), switches=0)
    later = Usage(at=1.0, cpu_s=(0.0,), switches=0)
    assert not judge(STARTS, (usage, later), {**MEMORY, "rss": 65 * MIB}).ok


def test_usage_of_a_process_is_read() -> None:
    usage = idle._usage([psutil.Process(os.getpid())])
    assert usage.cpu_s[0] > 0
    assert usage.switches > 0


def test_ready_is_waited_for_among_other_datagrams(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon,
    ):
        notify.bind(path)
        daemon.connect(path)
        daemon.send(b"STATUS=loading, not READY=1 yet")
        daemon.send(b"STATUS=up\nREADY=1\n")
        begin = time.monotonic()
        assert begin <= wait_notified(notify, begin + 5) <= time.monotonic()


def test_no_ready_is_a_timeout(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        with pytest.raises(TimeoutError):
            wait_notified(notify, time.monotonic() + 0.05)
        with pytest.raises(TimeoutError):
            wait_notified(notify, time.monotonic() - 1)


def test_the_socket_is_told_only_to_what_starts_meanwhile() -> None:
    with idle._notified_at("/somewhere"):
        assert os.environ["NOTIFY_SOCKET"] == "/somewhere"
    assert "NOTIFY_SOCKET" not in os.environ
