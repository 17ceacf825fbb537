"""The whole 30B-A3B shape at 2.70 bits per weight; by hand: 20 GB of disk, 16 GB of memory."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from bench import persona, synthetic
from bench.direct import Direct
from bench.footprint import Footprint, footprint, larger
from bench.full_verdict import Found, Round, judge
from bench.mixes import MIXES
from bench.others import wait_settled
from bench.peer import prompts
from bench.peer.programs import Same, llama_bench
from bench.peer.reports import bench_row
from bench.report import Options, Result, run
from bench.roofline import bytes_per_token, read_gb_per_s
from bench.shapes import SHAPES, bits_per_weight, plan
from edged.engine.frames import Load, Message

if TYPE_CHECKING:
    from pathlib import Path

    from edged.engine.frames import KvType

SHAPE: Final = "30b-a3b"
MIX: Final = synthetic.DEFAULT_MIX
THREADS: Final = os.cpu_count() or 1
CONTEXT: Final = 2048
ROUNDS: Final = 3
FULL_ROUNDS: Final = 9
READ: Final = 512  # tokens, llama-bench's pp512
DECODED: Final = 128  # tg128
ASIDE: Final = 8  # tokens of the prompt before them
BATCH: Final = 512
KV_TYPES: Final[tuple[KvType, ...]] = ("f16", "q8_0")


def measure(options: Options) -> Result:
    """The whole model: beside llama-bench, against the roofline, and a persona's way."""
    model = synthetic.cached(SHAPE, MIX)
    bandwidth = read_gb_per_s(THREADS)
    rounds, peak = _rounds(model, FULL_ROUNDS if options.full else ROUNDS)
    personas = []
    for kv_type in KV_TYPES:
        one, taken = persona.measure(_load(model, kv_type), model.parent)
        personas.append(one)
        peak = larger(peak, taken)
    shape, mix = SHAPES[SHAPE], MIXES[MIX]
    found = Found(
        rounds=tuple(rounds),
        personas=tuple(personas),
        peak=peak,
        bandwidth=bandwidth,
        token_bytes=bytes_per_token(shape, mix),
    )
    conditions: dict[str, str | float] = {
        "model": f"made up, {SHAPE}",
        "model GB": round(model.stat().st_size / 1e9, 2),
        "bits per weight": round(bits_per_weight(plan(shape, mix)), 2),
        "threads": THREADS,
        "context": CONTEXT,
        "rounds": len(rounds),
    }
    return judge(found, conditions)


def _load(model: Path, kv_type: KvType = "f16") -> Load:
    return Load(
        path=str(model),
        n_ctx=CONTEXT,
        n_batch=BATCH,
        prefill_chunk=BATCH,
        threads=THREADS,
        threads_batch=THREADS,
        kv_type=kv_type,
    )


def _rounds(model: Path, count: int) -> tuple[list[Round], Footprint]:
    """One side after the other: two copies of rearranged weights may not fit the memory."""
    rounds: list[Round] = []
    peaks: list[Footprint] = []
    for number in range(count):
        bench = llama_bench(
            Same(model=model, threads=THREADS, batch=BATCH), "-p", str(READ), "-n", str(DECODED)
        )
        wait_settled()  # 10 GB that it gave back would slow whoever is next
        pp, tg, load_s, taken = _edged(model, number)
        wait_settled()
        peaks.append(taken)
        rounds.append(
            Round(
                tg=tg,
                pp=pp,
                tg_bench=bench_row(bench, gen=DECODED).tokens_per_second,
                pp_bench=bench_row(bench, prompt=READ).tokens_per_second,
                load_s=load_s,
            )
        )
    peak = peaks[0]
    for taken in peaks[1:]:
        peak = larger(peak, taken)
    return rounds, peak


def _edged(model: Path, number: int) -> tuple[float, float, float, Footprint]:
    """Tokens read and decoded per second, seconds until ready, and memory."""
    began = time.monotonic()
    with Direct(_load(model)) as worker:
        load_s = time.monotonic() - began
        read = _turn(number, READ - prompts.turn_tokens())
        (pp,) = worker.answer(worker.ask(read, max_tokens=1))
        (tg,) = worker.answer(worker.ask(_turn(1000 + number, ASIDE), max_tokens=DECODED + 1))
        taken = footprint(worker.pid)
    pp_tps = (pp.prompt_tokens - pp.cached_tokens) / pp.prompt_ms * 1e3
    return pp_tps, (tg.completion_tokens - 1) / tg.predicted_ms * 1e3, load_s, taken


def _turn(seed: int, tokens: int) -> Message:
    return Message(role="user", content=prompts.text(seed, tokens))


if __name__ == "__main__":
    raise SystemExit(run("full", measure))
