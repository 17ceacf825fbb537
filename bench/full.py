"""The whole 30B-A3B shape at 2.70 bits per weight; by hand: 20 GB of disk, 16 GB of memory.

Worker and llama-bench are loaded at once and compute by turns of a second; the file is mapped by
both. Where this CPU has weights of its types rearranged, each has a copy of those.
"""

from __future__ import annotations

import functools
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
from bench.peer.halting import HaltingBench
from bench.peer.programs import Same
from bench.peer.turns import Player, ask_beside
from bench.peer.working import Working
from bench.report import Options, Result, run
from bench.roofline import bytes_per_token, read_gb_per_s
from bench.shapes import SHAPES, bits_per_weight, plan
from edged.engine.frames import Load, Message

if TYPE_CHECKING:
    from pathlib import Path

    from edged.engine.frames import Generate, KvType

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
# As the daemon does, cells that an answer does not need are copied out: with 512 of them left in
# the context decode was 0.949 of llama-bench's, without them 0.981 and 1.01.
PREFIX_BYTES: Final = 1 << 30
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
        prefix_bytes=PREFIX_BYTES,
    )


def _rounds(model: Path, count: int) -> tuple[list[Round], Footprint]:
    rounds, peaks = zip(*(_round(model, number) for number in range(count)), strict=True)
    return list(rounds), functools.reduce(larger, peaks)


def _round(model: Path, number: int) -> tuple[Round, Footprint]:
    """A load of each side, and what the worker took at most."""
    began = time.monotonic()
    with Direct(_load(model)) as worker:
        load_s = time.monotonic() - began
        wait_settled()  # 10 GB that somebody gave back would slow whoever is next
        ours = Working(worker)
        read = worker.ask(_turn(number, READ - prompts.turn_tokens()), max_tokens=1)
        decode = worker.ask(_turn(1000 + number, ASIDE), max_tokens=DECODED + 1)
        same = Same(model=model, threads=THREADS, batch=BATCH)
        with HaltingBench(same, (READ,), (DECODED,)) as peer:
            pp_bench = _beside(ours, peer, read)
            pp = ours.read_tps
            tg_bench = _beside(ours, peer, decode)
        taken = footprint(worker.pid)
    wait_settled()
    found = Round(tg=ours.decode_tps, pp=pp, tg_bench=tg_bench, pp_bench=pp_bench, load_s=load_s)
    return found, taken


def _beside(ours: Working, peer: HaltingBench, request: Generate) -> float:
    """Ask the worker while llama-bench does its next test; what the test says, in tok/s."""
    peer.begin()
    ask = functools.partial(ours.begin, request)
    ask_beside(ask, Player(ours.turns, ours.over), Player(peer.turns, peer.over))
    return peer.row().tokens_per_second


def _turn(seed: int, tokens: int) -> Message:
    return Message(role="user", content=prompts.text(seed, tokens))


if __name__ == "__main__":
    raise SystemExit(run("full", measure))
