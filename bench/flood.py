"""Ten thousand prompts at once: everyone is answered, nothing grows, nothing else waits.

The engine is the fake one, so that the daemon's own work decides. Three connections: one floods,
one listens to every reply, one has a few prompts waiting and takes them back one by one.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from bench.flood_verdict import Flood, by_id, delay, judge
from bench.report import Options, Result, run
from tests.rig.broker import Broker, BrokerOptions
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

NODE: Final = "bench"
PROMPTS: Final = 10_000
FULL_PROMPTS: Final = 100_000
CAPACITY: Final = 64
QUIET_PROMPTS: Final = 40  # fewer than one client may have waiting, so the quiet one is not refused
CANCEL_EVERY_S: Final = 0.25
STATE_EVERY_S: Final = 0.25  # often enough that a gap of a second means someone was held up
SAMPLE_EVERY_S: Final = 0.05
SETTLE_S: Final = 2.0
TIMEOUT_S: Final = 180.0
FULL_TIMEOUT_S: Final = 1200.0
POLL_S: Final = 0.05
# Half a second an answer: prompts wait through the whole flood, and the rest is soon answered.
SCRIPT: Final[dict[str, Any]] = {"ms_per_token": 50.0, "tokens": 10}
# Nothing dropped, nothing held back: a prompt that the broker loses would be charged to edged.
LOSSLESS: Final = BrokerOptions(max_queued=0, extra=("max_inflight_messages 0",))


class Sampler:
    """Watches the daemon's memory from a thread while a `with` block runs."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self._daemon = daemon
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self.before = daemon.rss()
        self.values = [self.before]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_EVERY_S):
            self.values.append(self._daemon.rss())


class Canceller:
    """Takes a waiting prompt back now and then, from a thread, while a `with` block runs."""

    def __init__(self, client: TestClient, names: Sequence[str]) -> None:
        self._client = client
        self._names = list(names)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._cancel_all, name="cancel", daemon=True)
        self.sent: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _cancel_all(self) -> None:
        # The last one in is the last to be answered, so it surely still waits.
        while self._names and not self._done.wait(CANCEL_EVERY_S):
            name = self._names.pop()
            self.sent[name] = time.monotonic()
            self._client.publish(f"edged/{NODE}/cancel", name, wait=False)


def measure(options: Options) -> Result:
    """A burst of prompts far beyond the capacity."""
    count = FULL_PROMPTS if options.full else PROMPTS
    config = {
        "serving": {"capacity": CAPACITY},
        "telemetry": {"state_interval_s": STATE_EVERY_S, "log_level": "warning"},
    }
    with (
        Broker(LOSSLESS) as broker,
        DaemonProcess(broker.port, node=NODE, script=SCRIPT, config=config) as daemon,
        TestClient(broker.port, client_id="listener") as listener,
        TestClient(broker.port, client_id="quiet") as quiet,
        TestClient(broker.port, client_id="flood") as loud,
    ):
        listener.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/state")
        flood = _flood((listener, quiet, loud), daemon, count, _timeout(full=options.full))
    wanted = {f"flood-{number}" for number in range(count)} | set(quiet_names())
    conditions: dict[str, str | float] = {
        "engine": "fake",
        "prompts": count,
        "capacity": CAPACITY,
        "qos": 1,
    }
    return judge(flood, wanted, conditions)


def quiet_names() -> list[str]:
    """Ids of the prompts that wait before the flood begins."""
    return [f"quiet-{number}" for number in range(QUIET_PROMPTS)]


def _timeout(*, full: bool) -> float:
    return FULL_TIMEOUT_S if full else TIMEOUT_S


def _flood(
    clients: tuple[TestClient, TestClient, TestClient],
    daemon: DaemonProcess,
    count: int,
    timeout: float,
) -> Flood:
    listener, quiet, loud = clients
    names = quiet_names()
    for name in names:
        quiet.send(NODE, "Is the cellar dry?", id=name)
    time.sleep(SETTLE_S)
    with Sampler(daemon) as memory, Canceller(quiet, names) as canceller:
        began = time.monotonic()
        for number in range(count):
            body = {"id": f"flood-{number}", "prompt": "Is the light on?"}
            loud.publish(f"edged/{NODE}/request", msgspec.json.encode(body), wait=False)
        sent = time.monotonic()
        _wait_replies(listener, count + QUIET_PROMPTS, sent + timeout)
    records = list(listener.records)
    answered = by_id(records)
    return Flood(
        replies={name: [reply for _, reply in pairs] for name, pairs in answered.items()},
        began=began,
        sent=sent,
        ended=max((at for pairs in answered.values() for at, _ in pairs), default=sent),
        cancels=tuple(delay(answered.get(name), at) for name, at in canceller.sent.items()),
        states=tuple(r.at for r in records if r.topic.endswith("/state") and r.at >= began),
        memory=tuple(memory.values),
    )


def _wait_replies(listener: TestClient, count: int, deadline: float) -> None:
    """Wait for as many records as there must be replies, then for replies there must not be."""
    while time.monotonic() < deadline:
        time.sleep(POLL_S)
        states = 0
        if len(listener.records) >= count:
            states = sum(1 for r in list(listener.records) if r.topic.endswith("/state"))
        if len(listener.records) - states >= count:
            break
    time.sleep(SETTLE_S)


if __name__ == "__main__":
    raise SystemExit(run("flood", measure))
