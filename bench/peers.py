"""edged over MQTT beside llama.cpp's own llama-bench and llama-server (`make peers` builds them).

The same file, threads, batch, cache types and attention on both sides, in turns, so that a
neighbour's load falls on both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bench import synthetic
from bench.mixes import MIXES
from bench.peer import rates, streams, warmth
from bench.peer.pairs import Measured
from bench.peer.programs import Same, folder
from bench.peer.unhurried import unhurried
from bench.peer.verdict import judge
from bench.report import Options, Result, run
from bench.shapes import SHAPES, bits_per_weight, plan
from tests.rig.broker import Broker

if TYPE_CHECKING:
    from bench.peer.pairs import RatePair

SHAPE: Final = "overhead"
# Seconds of each part; loading and what is read before come on top, about two minutes in all.
RATES_S: Final = 280.0  # on a slow machine the least number of loads takes longer
STREAMS_S: Final = 120.0
WARM_S: Final = 30.0
FULL: Final = 10.0  # times as long
STREAM_CONTEXT: Final = 512


def measure(options: Options) -> Result:
    """Rates and first words of edged beside llama.cpp's own programs."""
    folder()  # says at once what is missing
    same = Same(model=synthetic.cached(SHAPE))
    slow = Same(model=synthetic.cached(unhurried(same)))
    crowd = Same(model=same.model, context=STREAM_CONTEXT)
    times = FULL if options.full else 1.0
    with Broker() as broker:
        alone = _rates(broker, slow, times * RATES_S)
        together = streams.measure(broker, crowd, times * STREAMS_S)
        warm, disk = warmth.measure(broker.port, same, times * WARM_S)
    measured = Measured(
        rates=alone,
        streams=together,
        warm=warm,
        disk=disk,
        tokens=rates.TOKENS + 1,
        stream_tokens=streams.TOKENS,
        warm_tokens=warmth.TOKENS,
    )
    return judge(measured, _conditions(same, slow))


def _rates(broker: Broker, same: Same, seconds: float) -> tuple[RatePair, ...]:
    """On all cores, which broker, daemon and client need too, and with one left to them."""
    counts = sorted({same.threads, max(1, same.threads - 1)})
    sides = [msgspec.structs.replace(same, threads=count) for count in counts]
    return tuple(
        pair for side in sides for pair in rates.measure(broker, side, seconds / len(sides))
    )


def _conditions(same: Same, slow: Same) -> dict[str, str | float]:
    bits = bits_per_weight(plan(SHAPES[SHAPE], MIXES[synthetic.DEFAULT_MIX]))
    return {
        "model": f"made up, {SHAPES[SHAPE].layers} layers of the Qwen3-30B-A3B shape",
        "model GB": round(same.model.stat().st_size / 1e9, 2),
        "model GB for the rates": round(slow.model.stat().st_size / 1e9, 2),
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
