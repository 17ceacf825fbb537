"""What edged costs: decode over MQTT against the bare loop, and delay before the first word.

Both decode the same tokens of the same made-up model, taking turns, so that a neighbour's load
falls on both.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final, Self

import msgspec

from bench import asking, synthetic
from bench.mixes import MIXES
from bench.report import Figure, Options, Result, Series, judged, median, run, told
from bench.shapes import SHAPES, bits_per_weight, plan
from bench.tasks import Run, Settings, Task, render
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import ROOT, DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from bench.asking import Asked

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
RATIO_GOAL: Final = ">= 0.98"
DELAY_GOAL: Final = "<= 10"

Pair = tuple[Run, "Asked"]


class BareProcess:
    """The bare loop in a process of its own, asleep between tasks."""

    def __init__(self, model: Path, settings: Settings) -> None:
        as_json = msgspec.json.encode(settings).decode()
        module = (sys.executable, "-m", "bench.bare")
        self._command = (*module, str(model), "--settings", as_json)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def run(self, task: Task) -> Run:
        """Do one task and wait for it."""
        if self._process.stdin is None or self._process.stdout is None:
            message = "the bare loop has no pipes"
            raise RuntimeError(message)
        self._process.stdin.write(msgspec.json.encode(task) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Run)


def measure(options: Options) -> Result:
    """Overhead of edged over llama.cpp's own API."""
    model = synthetic.cached(SHAPE)
    config = {
        "model": {"path": str(model), "context": SETTINGS.context},
        "engine": {"threads": SETTINGS.threads, "prefill_chunk": SETTINGS.chunk},
    }
    with (
        Broker() as broker,
        DaemonProcess(broker.port, node=NODE, config=config),
        BareProcess(model, SETTINGS) as bare,
        TestClient(broker.port) as client,
    ):
        asking.subscribe(client, NODE)
        wait_ready(client)
        bare.run(Task(prompt=render(PROMPT), tokens=WARM_TOKENS))
        asking.ask(client, NODE, PROMPT, WARM_TOKENS)
        pairs = _pairs(bare, client, FULL_PAIRS_S if options.full else PAIRS_S)
        short = _short(client, FULL_SHORT_ASKS if options.full else SHORT_ASKS)
    return judge(pairs, short, model.stat().st_size)


def wait_ready(client: TestClient) -> None:
    """Return once the daemon says that its model is loaded."""
    topic = f"edged/{NODE}/state"
    client.subscribe(topic)
    client.wait(
        lambda record: record.topic == topic and record.json().get("status") == "ready",
        LOAD_TIMEOUT_S,
    )


def _pairs(bare: BareProcess, client: TestClient, seconds: float) -> list[Pair]:
    """Run both in turns; every other pair begins with the daemon."""
    task = Task(prompt=render(PROMPT), tokens=TOKENS)
    deadline = time.monotonic() + seconds
    pairs: list[Pair] = []
    while len(pairs) < PAIRS or time.monotonic() < deadline:
        asked = asking.ask(client, NODE, PROMPT, TOKENS) if len(pairs) % 2 else None
        alone = bare.run(task)
        pairs.append((alone, asked or asking.ask(client, NODE, PROMPT, TOKENS)))
    return pairs


def _short(client: TestClient, count: int) -> list[Asked]:
    answers = []
    for number in range(count):
        time.sleep(PAUSE_S)
        answers.append(asking.ask(client, NODE, f"{PROMPT} ({number})", SHORT_TOKENS))
    return answers


def judge(pairs: Sequence[Pair], short: Sequence[Asked], model_bytes: int) -> Result:
    """Turn what was measured into figures."""
    ratios = [asked.tokens_per_second / alone.tokens_per_second for alone, asked in pairs]
    own = [asked.timing("predicted_per_second") / r.tokens_per_second for r, asked in pairs]
    counts = [number for alone, asked in pairs for number in (alone.tokens, asked.tokens)]
    delays = [asked.added_ms for asked in short]
    bare_rates = [alone.tokens_per_second for alone, _ in pairs]
    rates = [asked.tokens_per_second for _, asked in pairs]
    figures: tuple[Figure, ...] = (
        judged("decode over MQTT / bare loop, median of pairs", median(ratios), RATIO_GOAL),
        told("decode by the engine's own count / bare loop", median(own)),
        told("lowest ratio of a pair", min(ratios)),
        told("highest ratio of a pair", max(ratios)),
        told("bare loop", median(bare_rates), "tok/s"),
        told("spread of the bare loop", 100 * (max(bare_rates) / min(bare_rates) - 1), "%"),
        told("over MQTT, first delta to reply", median(rates), "tok/s"),
        judged("tokens in the shortest answer", min(counts), f">= {TOKENS}"),
        judged("PUBLISH to first delta less engine's TTFT", median(delays), DELAY_GOAL, "ms"),
        told("same, 95th percentile", percentile(delays, 0.95), "ms"),
        told("same, after a pause of seconds", median([a.added_ms for _, a in pairs]), "ms"),
    )
    return Result(
        figures=figures,
        conditions=_conditions(pairs, short, model_bytes),
        notes=notes(pairs),
        series=(
            Series(name="bare loop", unit="tok/s", values=tuple(bare_rates)),
            Series(name="over MQTT", unit="tok/s", values=tuple(rates)),
            Series(name="delay before the first delta", unit="ms", values=tuple(delays)),
        ),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def notes(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """What makes a pair unequal, if anything does."""
    found = []
    if any(alone.text != asked.reply.get("text") for alone, asked in pairs):
        found.append("the two sides wrote different text, so they did not do the same work")
    if any(alone.prompt_tokens != asked.prompt_tokens for alone, asked in pairs):
        found.append("the two sides read prompts of different length")
    if any(asked.streamed != asked.reply.get("text") for _, asked in pairs):
        found.append("the deltas of an answer did not join to its text")
    if any(asked.reply.get("finish_reason") != "length" for _, asked in pairs):
        found.append("an answer ended before its limit")
    return tuple(found)


def _conditions(
    pairs: Sequence[Pair], short: Sequence[Asked], model_bytes: int
) -> dict[str, str | float]:
    tensors = plan(SHAPES[SHAPE], MIXES[synthetic.DEFAULT_MIX])
    return {
        "model": f"made up, {SHAPES[SHAPE].layers} layers of the Qwen3-30B-A3B shape",
        "model GB": round(model_bytes / 1e9, 2),
        "quant": f"Q2_K/Q3_K mix, {bits_per_weight(tensors):.2f} bits per weight",
        "threads": SETTINGS.threads,
        "context": SETTINGS.context,
        "prompt tokens": pairs[0][0].prompt_tokens,
        "depth at the end": pairs[0][0].prompt_tokens + TOKENS,
        "pairs": len(pairs),
        "short prompts": len(short),
    }


if __name__ == "__main__":
    raise SystemExit(run("overhead", measure))
