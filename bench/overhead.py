"""What edged costs: decode over MQTT against the bare loop, and delay before the first word.

Both decode the same tokens of the same made-up model, taking turns, so that a neighbour's load
falls on both.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bench import asking, synthetic
from bench.bare_process import BareProcess, cpu_s
from bench.mixes import MIXES
from bench.overhead_verdict import Pair, judge
from bench.report import Options, Result, run
from bench.shapes import SHAPES, bits_per_weight, plan
from bench.tasks import Settings, Task, render
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess

if TYPE_CHECKING:
    from pathlib import Path

    from bench.asking import Asked
    from bench.tasks import Run

SHAPE: Final = "overhead"
# One thread leaves the other cores to broker, daemon and client; with all of them computing,
# the scheduler would decide the ratio and not edged.
SETTINGS: Final = Settings(threads=1)
TOKENS: Final = 256
PAIRS: Final = 5  # at least
PAIRS_S: Final = 180.0  # more pairs as long as they begin within this; their noise averages out
FULL_PAIRS_S: Final = 1200.0
SHORT_ASKS: Final = 30
FULL_SHORT_ASKS: Final = 200
SHORT_TOKENS: Final = 4
WARM_TOKENS: Final = 16
PAUSE_S: Final = 0.1  # between short prompts, so that each finds everyone asleep
LOAD_TIMEOUT_S: Final = 120.0
NODE: Final = "bench"
PROMPT: Final = "The bathroom feels colder than this morning. Which window may be open?"


def measure(options: Options) -> Result:
    """Overhead of edged over llama.cpp's own API."""
    model = synthetic.cached(SHAPE)
    config = {
        "model": {"path": str(model), "context": SETTINGS.context},
        "engine": {"threads": SETTINGS.threads, "prefill_chunk": SETTINGS.chunk},
    }
    with (
        Broker() as broker,
        DaemonProcess(broker.port, node=NODE, config=config) as daemon,
        BareProcess(model, SETTINGS) as bare,
        TestClient(broker.port) as client,
    ):
        asking.subscribe(client, NODE)
        _wait_ready(client)
        bare.run(Task(prompt=render(PROMPT), tokens=WARM_TOKENS))
        asking.ask(client, NODE, PROMPT, WARM_TOKENS)
        end = time.monotonic() + (FULL_PAIRS_S if options.full else PAIRS_S)
        pairs: list[Pair] = []
        while len(pairs) < PAIRS or time.monotonic() < end:
            pairs.append(_pair(bare, daemon, client, daemon_first=len(pairs) % 2 == 1))
        short = _short(client, FULL_SHORT_ASKS if options.full else SHORT_ASKS)
    return judge(pairs, short, TOKENS, _conditions(model, pairs))


def _wait_ready(client: TestClient) -> None:
    topic = f"edged/{NODE}/state"
    client.subscribe(topic)
    client.wait(
        lambda record: record.topic == topic and record.json().get("status") == "ready",
        LOAD_TIMEOUT_S,
    )


def _pair(
    bare: BareProcess, daemon: DaemonProcess, client: TestClient, *, daemon_first: bool
) -> Pair:
    """One answer from each side; who begins is changed, for a load may rise or fall."""
    if daemon_first:
        asked, worker_cpu_s, daemon_cpu_s = _over_mqtt(daemon, client)
        alone, alone_cpu_s = _alone(bare)
    else:
        alone, alone_cpu_s = _alone(bare)
        asked, worker_cpu_s, daemon_cpu_s = _over_mqtt(daemon, client)
    return Pair(
        alone=alone,
        alone_cpu_s=alone_cpu_s,
        asked=asked,
        worker_cpu_s=worker_cpu_s,
        daemon_cpu_s=daemon_cpu_s,
    )


def _alone(bare: BareProcess) -> tuple[Run, float]:
    before = cpu_s(bare.pid)
    ran = bare.run(Task(prompt=render(PROMPT), tokens=TOKENS))
    return ran, cpu_s(bare.pid) - before


def _over_mqtt(daemon: DaemonProcess, client: TestClient) -> tuple[Asked, float, float]:
    worker = daemon.children()[0].pid
    before = cpu_s(worker), cpu_s(daemon.pid)
    asked = asking.ask(client, NODE, PROMPT, TOKENS)
    return asked, cpu_s(worker) - before[0], cpu_s(daemon.pid) - before[1]


def _short(client: TestClient, count: int) -> list[Asked]:
    answers = []
    for number in range(count):
        time.sleep(PAUSE_S)
        answers.append(asking.ask(client, NODE, f"{PROMPT} ({number})", SHORT_TOKENS))
    return answers


def _conditions(model: Path, pairs: list[Pair]) -> dict[str, str | float]:
    bits = bits_per_weight(plan(SHAPES[SHAPE], MIXES[synthetic.DEFAULT_MIX]))
    prompt = pairs[0].alone.prompt_tokens
    return {
        "model": f"made up, {SHAPES[SHAPE].layers} layers of the Qwen3-30B-A3B shape",
        "model GB": round(model.stat().st_size / 1e9, 2),
        "quant": f"Q2_K/Q3_K mix, {bits:.2f} bits per weight",
        "threads": SETTINGS.threads,
        "context": SETTINGS.context,
        "prompt tokens": prompt,
        "depth at the end": prompt + TOKENS,
    }


if __name__ == "__main__":
    raise SystemExit(run("overhead", measure))
