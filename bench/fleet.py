"""Several nodes on one real mosquitto: do answers a minute grow with the nodes, and is none lost?

The engines are paced fakes that sleep, so that this machine's cores are no limit.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from bench.heat_board import ZONE, Tree
from bench.report import Options, Result, judged, run, told
from tests.rig.broker import Broker
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import Witness, exactly_one_reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.report import Figure
    from tests.rig.client import Record

SIZES: Final = (1, 2, 4, 8)
EACH: Final = 15  # answers of each node, a second each: long beside the time to hand them out
FULL_EACH: Final = 45
SCRIPT: Final[dict[str, Any]] = {"ms_per_token": 100.0, "tokens": 10}
QUICK: Final[dict[str, Any]] = {"ms_per_token": 10.0, "tokens": 10}
CONFIG: Final[dict[str, Any]] = {
    "fleet": {"enabled": True},
    "discovery": {"mode": "off"},
    "telemetry": {"log_level": "warning"},
}
KILLED_OF: Final = 4
JOIN_S: Final = 60.0
ANSWER_S: Final = 120.0
POLL_S: Final = 0.02
WARM_C, HOT_C = 65.0, 79.0  # below and above thermal.hot_c, in a step that silicon can make
ASK_EVERY_S: Final = 0.2
BEFORE_S, AFTER_S = 3.0, 6.0


class Party:
    """Nodes and who asks them.

    Args:
        client: Sees everything.
        nodes: By name.
    """

    def __init__(self, client: Witness, nodes: dict[str, DaemonProcess]) -> None:
        self.client = client
        self.nodes = nodes
        self.asked: dict[str, float] = {}

    def ask(self, count: int, prefix: str) -> list[str]:
        """Send so many requests to whoever takes them."""
        names = [f"{prefix}-{number}" for number in range(count)]
        for name in names:
            self.asked[name] = time.monotonic()
            payload = f'{{"id": "{name}", "prompt": "Is the cellar dry?", "stream": false}}'
            self.client.publish("edged/any/request", payload, wait=False)
        return names

    def answered(self, names: list[str]) -> float:
        """When the last of them had its reply, in monotonic seconds."""
        return max(self.client.wait_topic(f"edged/any/reply/{name}", ANSWER_S).at for name in names)

    def by(self, node: str) -> set[str]:
        """Ids that a node answered; the event follows its reply."""
        return {str(record.json()["id"]) for record in self.client.on(f"edged/{node}/event")}

    def wrong(self) -> list[str]:
        """Requests without a reply, and replies too many."""
        return exactly_one_reply(self.client.history(), self.asked, self.asked)


@contextmanager
def party(
    size: int, script: dict[str, Any] = SCRIPT, trees: dict[str, Path] | None = None
) -> Iterator[Party]:
    """So many nodes on a broker of their own, all in the group."""
    with ExitStack() as stack:
        broker = stack.enter_context(Broker())
        client = stack.enter_context(Witness(broker.port))
        nodes = {
            name: stack.enter_context(
                DaemonProcess(
                    broker.port,
                    node=name,
                    script=script,
                    config=CONFIG,
                    sysfs_root=(trees or {}).get(name),
                )
            )
            for name in (f"node{number}" for number in range(size))
        }
        for name in nodes:
            client.wait(partial(_accepts, f"edged/{name}/info"), JOIN_S)
        yield Party(client, nodes)


def _accepts(topic: str, record: Record) -> bool:
    return record.topic == topic and b'"accepting":true' in record.payload


def rate(size: int, each: int) -> float:
    """Answers a minute of so many nodes that are all busy."""
    with party(size) as found:
        began = time.monotonic()
        end = found.answered(found.ask(size * each, "r"))
    return size * each / (end - began) * 60


def killed(each: int) -> tuple[int, int]:
    """Requests that were lost or doubled when one node is killed mid-answer, and all."""
    with party(KILLED_OF) as found:
        names = found.ask(KILLED_OF * each // 2, "before")
        time.sleep(2.5 * SCRIPT["tokens"] * SCRIPT["ms_per_token"] / 1e3)
        victim = found.nodes["node1"]
        victim.kill()
        names += found.ask(KILLED_OF * each // 2, "after")
        victim.start()
        found.answered(names)
        return len(found.wrong()), len(names)


def heated() -> tuple[float | None, int]:
    """Seconds after which a node that grows hot was given its last request, and lost ones."""
    with TemporaryDirectory(prefix="edged-fleet-") as folder:
        roots = {name: Path(folder) / name for name in ("node0", "node1")}
        for root in roots.values():
            Tree(root)
            _warm(root, WARM_C)
        with party(2, QUICK, roots) as found:
            names = _trickle(found, "cool", BEFORE_S)
            _warm(roots["node0"], HOT_C)
            hot_at = time.monotonic()
            names += _trickle(found, "hot", AFTER_S)
            found.answered(names)
            wrong = found.wrong()
            taken = [found.asked[name] - hot_at for name in found.by("node0")]
            gone = len(found.by("node1")) > len(names) // 2  # it did leave, and the other took over
    return (max(0.0, *taken) if taken and gone else None), len(wrong)


def _trickle(found: Party, prefix: str, seconds: float) -> list[str]:
    names = []
    for number in range(round(seconds / ASK_EVERY_S)):
        names += found.ask(1, f"{prefix}{number}")
        time.sleep(ASK_EVERY_S)
    return names


def _warm(root: Path, celsius: float) -> None:
    part = root / ZONE / "temp.part"
    part.write_text(f"{celsius * 1e3:.0f}\n")
    part.replace(root / ZONE / "temp")


def measure(options: Options) -> Result:
    """One queue, several nodes: answers a minute, a killed node, a hot node."""
    each = FULL_EACH if options.full else EACH
    rates = {size: rate(size, each) for size in SIZES}
    figures: list[Figure] = [
        told(f"answers a minute of {size}", value, "1/min") for size, value in rates.items()
    ]
    figures += [
        judged(f"{size} nodes of {size} times one", value / (size * rates[1]), ">= 0.9")
        for size, value in rates.items()
        if size > 1
    ]
    wrong, asked = killed(each)
    last_s, lost = heated()
    figures += [
        judged(f"lost or doubled of {asked}, one node killed", wrong, "== 0"),
        judged("a hot node's last new request", last_s, "<= 2", "s"),
        judged("lost or doubled, one node hot", lost, "== 0"),
    ]
    conditions: dict[str, str | float] = {"engine": "fake, 1 s an answer", "answers each": each}
    notes = ("the killed node is started again, and answers what it was given before",)
    return Result(figures=tuple(figures), conditions=conditions, notes=notes)


if __name__ == "__main__":
    raise SystemExit(run("fleet", measure))
