"""edged over MQTT beside llama.cpp's own llama-bench and llama-server (`make peers` builds them).

The same file, threads, batch, cache types and attention on both sides, in turns, so that a
neighbour's load falls on both.
"""

from __future__ import annotations

import time
from typing import Final

from bench import synthetic
from bench.mixes import MIXES
from bench.peer import rates, streams, warmth
from bench.peer.pairs import Measured
from bench.peer.programs import Same, folder
from bench.peer.verdict import judge
from bench.report import Options, Result, run
from bench.shapes import SHAPES, bits_per_weight, plan
from tests.rig.broker import Broker

SHAPE: Final = "overhead"
RATES_S: Final = 90.0  # more pairs as long as they begin within this
FULL_RATES_S: Final = 600.0
STREAM_ROUNDS: Final = 3
FULL_STREAM_ROUNDS: Final = 15
STREAM_CONTEXT: Final = 512
WARM_ROUNDS: Final = 9
FULL_WARM_ROUNDS: Final = 60
RESTARTS: Final = 3
FULL_RESTARTS: Final = 10


def measure(options: Options) -> Result:
    """Rates and first words of edged beside llama.cpp's own programs."""
    folder()  # says at once what is missing
    same = Same(model=synthetic.cached(SHAPE))
    crowd = Same(model=same.model, context=STREAM_CONTEXT)
    with Broker() as broker:
        end_s = time.monotonic() + (FULL_RATES_S if options.full else RATES_S)
        alone = rates.measure(broker.port, same, end_s)
        rounds = FULL_STREAM_ROUNDS if options.full else STREAM_ROUNDS
        together = streams.measure(broker.port, crowd, rounds)
        questions = FULL_WARM_ROUNDS if options.full else WARM_ROUNDS
        restarts = FULL_RESTARTS if options.full else RESTARTS
        warm, disk = warmth.measure(broker.port, same, questions, restarts)
    measured = Measured(
        rates=alone,
        streams=together,
        warm=warm,
        disk=disk,
        tokens=rates.TOKENS + 1,
        stream_tokens=streams.TOKENS,
        warm_tokens=warmth.TOKENS,
    )
    return judge(measured, _conditions(same))


def _conditions(same: Same) -> dict[str, str | float]:
    bits = bits_per_weight(plan(SHAPES[SHAPE], MIXES[synthetic.DEFAULT_MIX]))
    return {
        "model": f"made up, {SHAPES[SHAPE].layers} layers of the Qwen3-30B-A3B shape",
        "model GB": round(same.model.stat().st_size / 1e9, 2),
        "quant": f"Q2_K/Q3_K mix, {bits:.2f} bits per weight",
        "peers": folder().name,
        "threads": same.threads,
        "batch": same.batch,
        "KV": "f16, flash attention auto",
        "prompts at once": f"{streams.PROMPT} tokens each, {streams.TOKENS} decoded",
        "prefix tokens": warmth.PREFIX,
        "question tokens": warmth.QUESTION,
    }


if __name__ == "__main__":
    raise SystemExit(run("peers", measure))
