"""The live proof: a real worker heats a simulated Raspberry Pi 5, and edged keeps it cool.

Broker, daemon, model, prompts and CPU time are real. The board's sensors are files that a simulated
Pi 5 without a cooler writes, heated by what the worker really computes. After a while a fan is put
on. `make demo-heat` runs it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from bench.heat_board import Board, Tree
from bench.heat_verdict import Row, judge
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.heat_verdict import Check

NODE: Final = "pi"
STATE: Final = f"edged/{NODE}/state"
AMBIENT_C: Final = 25.0
# More would outrun a governor that looks once a second of its own time.
SPEED: Final = 2.0
HOT_S, COOL_S = 75.0, 75.0
ROW_S: Final = 1.0
SHOWN: Final = 2  # each so many rows one is printed
ASKERS: Final = 2  # one is answered while the other waits, so that the worker never rests for want
# Below it the pace rests and drops threads, above it only the rate is held; the pocket model does
# many times as much, as no model for people does.
TARGET_TPS: Final = 150.0
PROMPTS: Final = ("Tell me about the house.", "Is the kitchen warm?", "What is on in the garage?")
# Any token as likely as another, so that answers are as long as they may be and the rate is even.
LONG: Final = {
    "max_tokens": 1000,
    "temperature": 5.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "stream": False,
}
WORDS: Final = ("paced", "cool again", "problem", "firmware throttles")
START_S: Final = 60.0
BAR: Final = 18  # characters for 40 to 85 C
BAR_FROM_C, BAR_TO_C = 40.0, 85.0


class Askers:
    """Ask again and again, each in a thread of its own.

    Args:
        port: Of the broker.
    """

    def __init__(self, port: int) -> None:
        self.answers: list[str] = []
        self._port = port
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(number,), name="asker")
            for number in range(ASKERS)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """No more questions; returns when the last ones are answered."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        with TestClient(self._port) as client:
            while not self._stopping.is_set():
                prompt = PROMPTS[number % len(PROMPTS)]
                reply = client.ask(NODE, prompt, **LONG)
                self.answers.append(str(reply["status"]))
                number += ASKERS


class Scene:
    """Watches and tells.

    Args:
        console: Where it is told.
        client: Is subscribed to the state.
        daemon: Its log is the journal.
    """

    def __init__(self, console: Console, client: TestClient, daemon: DaemonProcess) -> None:
        self.rows: list[Row] = []
        self._console = console
        self._client = client
        self._daemon = daemon
        self._told = 0
        self._began = time.monotonic()

    def watch(self, seconds: float) -> None:
        """Show a row now and then, and each journal line that is about heat."""
        for count, state in enumerate(self._states(seconds)):
            self._journal()
            at = time.monotonic() - self._began
            row = Row(
                at=at,
                celsius=state.get("temp_c"),
                throttle=str(state.get("throttle")),
                tps=state.get("tps"),
                pace_tps=state.get("pace_tps"),
            )
            self.rows.append(row)
            if count % SHOWN == 0:
                self._console.print(line(row, state), highlight=False)
        self._journal()

    def _states(self, seconds: float) -> Iterator[dict[str, Any]]:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(ROW_S)
            states = [record for record in self._client.on(STATE) if record.payload]
            if states:
                yield states[-1].json()

    def _journal(self) -> None:
        lines = self._daemon.stderr().splitlines()
        new, self._told = lines[self._told :], len(lines)
        for text in new:
            if any(word in text for word in WORDS):
                self._console.print(f"  journal: {text}", style="cyan", highlight=False)


def line(row: Row, state: dict[str, Any]) -> str:
    """One row for people: a bar of the temperature, then figures."""
    celsius = row.celsius or BAR_FROM_C
    filled = round(BAR * (celsius - BAR_FROM_C) / (BAR_TO_C - BAR_FROM_C))
    bar = "#" * max(0, min(BAR, filled))
    paced = row.throttle != "none"
    eta, key = ("free in", "cooldown_eta_s") if paced else ("hot in", "time_to_throttle_s")
    possible = _number(state.get("possible_tps"))
    cells = [
        f"{row.at:4.0f} s {'-' if row.celsius is None else f'{row.celsius:.1f}':>5} C",
        f"{bar:.<{BAR}}",
        f"{row.throttle:<5}",
        f"{_number(row.tps):>4} tok/s",
        f"held to {_number(row.pace_tps):>3} of {possible:>3}",
        f"{_number(state.get('threads'))} threads",
        f"fan {_number(state.get('fan_rpm')):>4}",
        f"{eta} {_number(state.get(key))} s",
    ]
    return "  ".join(cells)


def run(console: Console, *, hot_s: float, cool_s: float, speed: float) -> list[Check]:
    """Heat it, put a fan on it, judge.

    Args:
        console: Where it is shown.
        hot_s: Real seconds without a cooler.
        cool_s: Real seconds with the fan.
        speed: Seconds of the board in one of ours.
    """
    threads = min(2, os.cpu_count() or 1)
    config = {
        "engine": {"threads": threads, "streams": 1, "target_tps": TARGET_TPS},
        "telemetry": {"idle_interval_s": 1},
    }
    with tempfile.TemporaryDirectory(prefix="edged-heat-") as folder:
        tree = Tree(Path(folder))
        board = Board(tree, ambient=AMBIENT_C, threads=threads, speed=speed)
        with (
            Broker() as broker,
            TestClient(broker.port) as client,
            DaemonProcess(broker.port, node=NODE, config=config, sysfs_root=Path(folder)) as daemon,
            board,
        ):
            client.subscribe(STATE)
            client.wait(lambda record: ready(record.topic, record.payload), START_S)
            askers, scene = Askers(broker.port), Scene(console, client, daemon)
            board.follow(daemon.children()[0].pid)
            console.print("[bold]A board without a cooler, asked without a pause[/bold]")
            askers.start()
            try:
                scene.watch(hot_s)
                console.print("[bold]A fan is put on[/bold]")
                board.mount_fan()
                scene.watch(cool_s)
            finally:
                askers.stop()
    return judge(scene.rows, board.hottest, askers.answers)


def ready(topic: str, payload: bytes) -> bool:
    """Whether the model answers."""
    return topic == STATE and b'"status":"ready"' in payload


def report(checks: Sequence[Check]) -> Table:
    """The checks as a table."""
    table = Table(title="What was to be seen", title_justify="left")
    for heading in ("check", "verdict", "shown by"):
        table.add_column(heading)
    for check in checks:
        verdict = "[green]met[/green]" if check.ok else "[bold red]missed[/bold red]"
        table.add_row(check.name, verdict, check.shown)
    return table


def _number(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, int | float) else "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 0 if everything was to be seen."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hot", type=float, default=HOT_S, help="seconds without a cooler")
    parser.add_argument("--cool", type=float, default=COOL_S, help="seconds with a fan")
    parser.add_argument("--speed", type=float, default=SPEED, help="how fast the board ages")
    args = parser.parse_args(arguments)
    console = Console(soft_wrap=True)
    console.print(
        f"Broker, daemon, model and prompts are real; the board ages {args.speed:g}-fold."
    )
    checks = run(console, hot_s=args.hot, cool_s=args.cool, speed=args.speed)
    console.print(report(checks))
    return 0 if all(check.ok for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
