"""Ten thousand prompts at once: everyone is answered, nothing grows, nothing else waits.

The engine is the fake one, so that the daemon's own work decides. One process floods and listens
to every reply; here a quiet client has a few prompts waiting and takes them back one by one.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from bench.flood_verdict import Flooded, Quiet, by_id, judge
from bench.flooder import flood_name
from bench.report import Options, Result, run
from tests.rig.broker import Broker, BrokerOptions
from tests.rig.client import TestClient
from tests.rig.daemon import ROOT, DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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
# Half a second an answer: prompts wait through the whole flood, and the rest is soon answered.
SCRIPT: Final[dict[str, Any]] = {"ms_per_token": 50.0, "tokens": 10}
# Nothing dropped, nothing held back: a prompt that the broker loses would be charged to edged.
LOSSLESS: Final = BrokerOptions(max_queued=0)


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
        TestClient(broker.port, client_id="quiet") as quiet,
        _flooder(broker.port, count, FULL_TIMEOUT_S if options.full else TIMEOUT_S) as flooder,
    ):
        names = [f"quiet-{number}" for number in range(QUIET_PROMPTS)]
        quiet.subscribe(f"edged/{NODE}/state", *(f"edged/{NODE}/reply/{name}" for name in names))
        for name in names:
            quiet.send(NODE, "Is the cellar dry?", id=name)
        time.sleep(SETTLE_S)
        with Sampler(daemon) as memory, Canceller(quiet, names) as canceller:
            flooded = _go(flooder)
        records = list(quiet.records)
    seen = Quiet(
        asked=tuple(names),
        answered=by_id(records),
        cancelled=canceller.sent,
        states=tuple(record.at for record in records if record.topic.endswith("/state")),
        memory=tuple(memory.values),
    )
    return judge(
        flooded,
        seen,
        {flood_name(number) for number in range(count)},
        {"engine": "fake", "prompts": count, "capacity": CAPACITY, "qos": 1},
    )


@contextlib.contextmanager
def _flooder(port: int, count: int, timeout: float) -> Iterator[subprocess.Popen[str]]:
    """The flooding process, connected and waiting to be told."""
    module = (sys.executable, "-m", "bench.flooder")
    with subprocess.Popen(
        (*module, str(port), NODE, str(count), str(timeout)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        try:
            _line(process)
            yield process
        finally:
            process.terminate()


def _go(flooder: subprocess.Popen[str]) -> Flooded:
    if flooder.stdin is not None:
        flooder.stdin.write("go\n")
        flooder.stdin.flush()
    flooded = msgspec.json.decode(_line(flooder), type=Flooded)
    return msgspec.structs.replace(
        flooded, answered={k: v for k, v in flooded.answered.items() if k.startswith("flood-")}
    )


def _line(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        message = f"the flooding process ended with {process.wait()}"
        raise RuntimeError(message)
    return line


if __name__ == "__main__":
    raise SystemExit(run("flood", measure))
