"""Which made-up models calibrate a board.

A token's time is taken as a sum: once, of each block and each block's experts, of each number that
matrices are fed and give, of each byte of weights by its type. A few models that differ in one term
each tell the terms apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edged.models import figures
from edged.models.amounts import amounts
from edged.models.blocks import nbytes
from edged.models.made import Shape
from edged.models.repacking import repackable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

# Types that published files are made of.
KINDS = ("q4_K", "q2_K", "q3_K", "q5_K", "q6_K", "q8_0", "q4_0", "iq4_xs", "iq3_s", "f16")
REFERENCE = "q4_K"  # whose trials tell the other terms
ROUTER = "f32"  # of what chooses the experts
# Decode reads memory only if a model is some times what the last-level cache holds; a dense model
# is read in turn, so that less will do, while experts are hit at random. Where they stay mapped, in
# pages of 4 KiB, the tables of those pages must be too large for a cache too, as a real file's are.
DENSE_CACHES, EXPERT_CACHES, MAPPED_CACHES = 3, 8, 12
DENSE_LEAST, DENSE_MOST = 48 << 20, 128 << 20  # bytes of weights
EXPERT_LEAST, EXPERT_MOST, MAPPED_MOST = 64 << 20, 256 << 20, 384 << 20
DENSE_HEADS, DENSE_FF = 16, 2048  # so that a block of any type is a small part of the whole
EXPERT_FF = 768  # as in a model of 30 billion weights
EXPERTS, USED = 128, 8
# Of a prompt only the last token passes the last block's experts.
EXPERT_BLOCKS = 2
FEW_HEADS, FEW_KV_HEADS = 8, 2  # beside experts, so that attention does not hide them
FEWEST_EXPERTS = 16
# Models of next to no weights, wide and narrow: blocks, and what a number costs that passes them.
ONCE, THIN, NARROW, SLIM, SLIM_NARROW = "once", "thin", "narrow", "slim", "slim-narrow"
THIN_HEADS, THIN_FF, THIN_BLOCKS, SLIM_BLOCKS = 4, 256, 24, 6
NARROW_WIDTH = 512
# Bytes of weights that one repetition passes, about: some 30 to 100 ms, since of short ones the
# quickest is luckier than any answer.
PASSED = 640 << 20
FEWEST_DECODED, MOST_DECODED = 5, 96  # tokens of one repetition
DENSE_READ = 64  # prompt tokens: a matrix product gains nothing beyond
ROWS = 32  # prompt tokens for each expert, as in a batch of 512 with 8 of 128 experts
# Neighbours of this machine and of a virtual one slow it for seconds on end, so that repetitions
# in a row say little: everything is timed in so many rounds, what they disagree about once more
# while there is time, and the quickest counts.
ROUNDS = 2
REPEAT = 1  # of a round
APART = 0.05  # relative; less is the scatter of a quiet machine
TICK_S = 1e-9  # a time that no clock tells from none
BUDGET_S = 55.0  # that a person may wait for `edged calibrate`, less a trial
READ_REPEAT = 2  # of the first round: prefill computes, and is little disturbed
DEPTH = 512  # tokens of context at which attention is timed
SLOPE_BLOCKS, SLOPE_WIDTH, SLOPE_HEADS, SLOPE_KV = 4, 512, 32, 4


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One made-up model, loaded once.

    Attributes:
        name: What it tells.
        shape: The model.
        repack: Whether its weights are rearranged.
        read: Prompt tokens of a repetition; 0 times no prefill.
        depth: Tokens of context for a second timing; 0 for none.
        kv_type: Of the cache.
    """

    name: str
    shape: Shape
    repack: bool = False
    read: int = DENSE_READ
    depth: int = 0
    kv_type: figures.KvType = "f16"

    @property
    def decoded(self) -> int:
        """Tokens of one repetition."""
        found = amounts(self.shape, "decode")
        passed = found.dense + found.experts
        return max(FEWEST_DECODED, min(MOST_DECODED, PASSED // passed))


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of a token of a trial, with some number of threads.

    Attributes:
        trial: Its name.
        repack: As tried.
        threads: So many computed.
        depth: Tokens of context before.
        decode: Of each repetition.
        prefill: Of each repetition, of one token; empty if it was not timed.
    """

    trial: str
    repack: bool
    threads: int
    depth: int = 0
    decode: tuple[float, ...]
    prefill: tuple[float, ...] = ()


def plan(features: Collection[str], cache_bytes: int, kinds: Sequence[str] = KINDS) -> list[Trial]:
    """The trials in their order.

    Args:
        features: Of the CPU: what is not rearranged on it is tried once.
        cache_bytes: Of its last-level cache.
        kinds: Types to try; the reference type and the router's are tried besides.
    """
    thin = Shape(layers=THIN_BLOCKS, kind=REFERENCE, ff=THIN_FF, heads=THIN_HEADS, kv_heads=1)
    slim = msgspec.structs.replace(
        thin, layers=SLIM_BLOCKS, experts=FEWEST_EXPERTS, used=USED, expert_kind=REFERENCE
    )
    trials = [
        Trial(name=ONCE, shape=msgspec.structs.replace(thin, layers=1)),
        Trial(name=THIN, shape=thin),
        Trial(name=NARROW, shape=msgspec.structs.replace(thin, width=NARROW_WIDTH)),
        Trial(name=f"dense {ROUTER}", shape=_dense(ROUTER, cache_bytes)),
        Trial(name=SLIM, shape=slim),
        Trial(name=SLIM_NARROW, shape=msgspec.structs.replace(slim, width=NARROW_WIDTH)),
    ]
    for kind in dict.fromkeys((REFERENCE, *kinds)):
        for repack in (False, True):
            if not repack or repackable(kind, EXPERT_FF, features):
                trials += _both(kind, cache_bytes, repack=repack)
    return [*trials, *_slopes()]


def rounds(planned: Sequence[Trial]) -> list[Trial]:
    """All that is loaded, in its order: prefill is timed in the first round alone."""
    again = [msgspec.structs.replace(trial, read=0) for trial in planned]
    return [*planned, *(trial for _ in range(ROUNDS - 1) for trial in again)]


def repetitions(timings: Iterable[Timing]) -> dict[tuple[str, bool, int, int], list[float]]:
    """Seconds of a decoded token in all rounds, by trial, arrangement, threads and depth."""
    found: dict[tuple[str, bool, int, int], list[float]] = {}
    for timing in timings:
        key = (timing.trial, timing.repack, timing.threads, timing.depth)
        found.setdefault(key, []).extend(timing.decode)
    return found


def doubtful(planned: Sequence[Trial], timings: Iterable[Timing]) -> list[Trial]:
    """What the rounds disagree about, most first; it reads no prompt again."""
    apart: dict[tuple[str, bool], float] = {}
    for (name, repack, _, _), times in repetitions(timings).items():
        ratio = max(times) / max(TICK_S, min(times)) - 1
        apart[name, repack] = max(ratio, apart.get((name, repack), 0.0))
    found = [trial for trial in planned if apart.get((trial.name, trial.repack), 0.0) > APART]
    found.sort(key=lambda trial: -apart[trial.name, trial.repack])
    return [msgspec.structs.replace(trial, read=0) for trial in found]


def _both(kind: str, cache_bytes: int, *, repack: bool) -> Iterator[Trial]:
    dense = _dense(kind, cache_bytes)
    yield Trial(name=f"dense {kind}", shape=dense, repack=repack)
    shape = _experts(kind, cache_bytes, repack=repack)
    yield Trial(name=f"experts {kind}", shape=shape, repack=repack, read=_read(shape))


def _slopes() -> Iterator[Trial]:
    shape = Shape(
        layers=SLOPE_BLOCKS,
        kind=REFERENCE,
        ff=THIN_FF,
        width=SLOPE_WIDTH,
        heads=SLOPE_HEADS,
        kv_heads=SLOPE_KV,
    )
    for kv_type in figures.KINDS:
        yield Trial(name=f"depth {kv_type}", shape=shape, depth=DEPTH, kv_type=kv_type)


def _read(shape: Shape) -> int:
    return ROWS * shape.experts // shape.used


def _dense(kind: str, cache_bytes: int) -> Shape:
    size = min(DENSE_MOST, max(DENSE_LEAST, DENSE_CACHES * cache_bytes))
    shape = Shape(layers=1, kind=kind, ff=DENSE_FF, heads=DENSE_HEADS)
    layers = max(1, size // amounts(shape, "decode").dense)
    return msgspec.structs.replace(shape, layers=layers)


def _experts(kind: str, cache_bytes: int, *, repack: bool) -> Shape:
    caches, most = (EXPERT_CACHES, EXPERT_MOST) if repack else (MAPPED_CACHES, MAPPED_MOST)
    size = min(most, max(EXPERT_LEAST, caches * cache_bytes))
    shape = Shape(
        layers=EXPERT_BLOCKS,
        kind=REFERENCE,
        ff=EXPERT_FF,
        heads=FEW_HEADS,
        kv_heads=FEW_KV_HEADS,
        used=USED,
        expert_kind=kind,
    )
    one = 3 * nbytes(kind, EXPERT_FF * shape.width) * shape.layers
    count = min(EXPERTS, max(FEWEST_EXPERTS, size // one)) // USED * USED
    return msgspec.structs.replace(shape, experts=count)
