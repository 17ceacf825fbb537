"""What edged costs while nobody asks: CPU, memory, and the time until it is ready."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import psutil

from bench.report import Figure, Options, Result, Series, judged, median, run, told
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.rig.client import Record

NODE: Final = "bench"
WATCH_S: Final = 60.0
FULL_WATCH_S: Final = 600.0
SETTLE_S: Final = 5.0  # telemetry of the start is over by then
STARTS: Final = 5
FULL_STARTS: Final = 20
START_TIMEOUT_S: Final = 30.0
DATAGRAM_BYTES: Final = 4096
CPU_GOAL: Final = "<= 0.3"  # per cent of one core
MEMORY_GOAL: Final = "<= 64"  # MiB
START_GOAL: Final = "<= 2"  # seconds
MIB: Final = 2**20


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """One start of the daemon.

    Attributes:
        notified_s: Until systemd would have been told READY=1.
        loaded_s: Until the state topic says that the model answers.
    """

    notified_s: float
    loaded_s: float


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What daemon and worker took from the machine at one moment.

    Attributes:
        at: Monotonic seconds.
        cpu_s: CPU seconds since the start, user and system, of each process.
        switches: Times a process went to sleep of its own accord, all together.
    """

    at: float
    cpu_s: tuple[float, ...]
    switches: int


def measure(options: Options) -> Result:
    """Cost of an idle edged with the pocket model loaded."""
    with Broker() as broker, TestClient(broker.port) as client:
        client.subscribe(f"edged/{NODE}/state")
        # The first start fills the page cache and compiles modules; it is not counted.
        count = 1 + (FULL_STARTS if options.full else STARTS)
        starts = [_start_once(broker.port, client) for _ in range(count)][1:]
        with _daemon(broker.port, client) as (daemon, _):
            time.sleep(SETTLE_S)
            processes = [psutil.Process(daemon.pid), *daemon.children()]
            before = _usage(processes)
            time.sleep(FULL_WATCH_S if options.full else WATCH_S)
            after = _usage(processes)
            memory = processes[0].memory_full_info()
            worker_rss = sum(process.memory_info().rss for process in processes[1:])
    return judge(
        starts,
        (before, after),
        {"rss": memory.rss, "uss": memory.uss, "worker rss": worker_rss},
    )


def judge(starts: list[Start], usages: tuple[Usage, Usage], memory: Mapping[str, int]) -> Result:
    """Turn what was measured into figures."""
    before, after = usages
    span = after.at - before.at
    shares = [
        100 * (end - begin) / span for begin, end in zip(before.cpu_s, after.cpu_s, strict=True)
    ]
    figures: tuple[Figure, ...] = (
        judged("CPU of daemon and worker, of one core", sum(shares), CPU_GOAL, "%"),
        told("of that the daemon", shares[0], "%"),
        told("of that the worker", sum(shares[1:]), "%"),
        told("wake-ups of both", (after.switches - before.switches) / span, "per s"),
        judged("memory of the daemon, RSS", memory["rss"] / MIB, MEMORY_GOAL, "MiB"),
        told("memory of the daemon, USS", memory["uss"] / MIB, "MiB"),
        told("memory of the worker, RSS", memory["worker rss"] / MIB, "MiB"),
        judged(
            "start to READY=1, warm, median",
            median(start.notified_s for start in starts),
            START_GOAL,
            "s",
        ),
        told("slowest start to READY=1", max(start.notified_s for start in starts), "s"),
        told("start to model loaded, median", median(start.loaded_s for start in starts), "s"),
    )
    return Result(
        figures=figures,
        conditions={"model": "pocket", "watched s": round(span, 1), "starts": len(starts)},
        series=(
            Series(name="start to READY=1", unit="s", values=tuple(s.notified_s for s in starts)),
            Series(
                name="start to model loaded", unit="s", values=tuple(s.loaded_s for s in starts)
            ),
        ),
    )


def _usage(processes: list[psutil.Process]) -> Usage:
    times = [process.cpu_times() for process in processes]
    return Usage(
        at=time.monotonic(),
        cpu_s=tuple(float(one.user + one.system) for one in times),
        switches=sum(_sleeps(process.pid) for process in processes),
    )


def _sleeps(pid: int) -> int:
    """Voluntary context switches of every thread; psutil counts the main thread only."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(FileNotFoundError):
            lines = status.read_text().splitlines()
            total += sum(int(x.split()[1]) for x in lines if x.startswith("voluntary_ctxt"))
    return total


def _start_once(port: int, client: TestClient) -> Start:
    with _daemon(port, client) as (_, start):
        return start


@contextlib.contextmanager
def _daemon(port: int, client: TestClient) -> Iterator[tuple[DaemonProcess, Start]]:
    """Start the daemon as systemd would, with a socket to notify."""
    with tempfile.TemporaryDirectory(prefix="edged-bench-") as folder:
        path = str(Path(folder) / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, _notified_at(path):
            notify.bind(path)
            daemon = DaemonProcess(port, node=NODE)
            daemon.patient = False
            begin = time.monotonic()
            with daemon:
                notified = wait_notified(notify, begin + START_TIMEOUT_S)
                loaded = _wait_loaded(client, begin)
                yield daemon, Start(notified_s=notified - begin, loaded_s=loaded - begin)


@contextlib.contextmanager
def _notified_at(path: str) -> Iterator[None]:
    """Let processes started meanwhile inherit the socket's path."""
    os.environ["NOTIFY_SOCKET"] = path
    try:
        yield
    finally:
        del os.environ["NOTIFY_SOCKET"]


def wait_notified(notify: socket.socket, deadline: float) -> float:
    """The monotonic second at which READY=1 came.

    Raises:
        TimeoutError: It did not come until the deadline.
    """
    while (left := deadline - time.monotonic()) > 0:
        notify.settimeout(left)
        if "READY=1" in notify.recv(DATAGRAM_BYTES).decode(errors="replace").splitlines():
            return time.monotonic()
    message = "no READY=1"
    raise TimeoutError(message)


def _wait_loaded(client: TestClient, begin: float) -> float:
    def loaded(record: Record) -> bool:
        return record.at >= begin and b'"ready"' in record.payload

    return client.wait(loaded, START_TIMEOUT_S).at


if __name__ == "__main__":
    raise SystemExit(run("idle", measure))
