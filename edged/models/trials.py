"""Which made-up models calibrate a board.

A token's time is taken as a sum: once, of each block and each block's experts, of each head, of
each number that matrices give, of each byte of weights by its type. A few models that differ in one
term each tell the terms apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edged.models.amounts import amounts
from edged.models.blocks import nbytes
from edged.models.made import Shape
from edged.models.repacking import repackable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from edged.models import figures

# Types that published files are made of.
KINDS = ("q4_K", "q2_K", "q3_K", "q5_K", "q6_K", "q8_0", "q4_0", "iq4_xs", "iq3_s", "f16")
# Whose trials tell the other terms: of its short blocks models of next to no weights can be made.
REFERENCE = "q8_0"
ROUTER = "f32"  # of what chooses the experts
# Decode reads memory only if a model is some times what the last-level cache holds. What is read in
# turn pushes out itself, and yet a virtual machine found half of three times 32 MiB in a cache.
# Where experts stay mapped, in pages of 4 KiB, the tables of those pages must be too large for a
# cache too, as a real file's are.
DENSE_CACHES, EXPERT_CACHES, MAPPED_CACHES = 8, 8, 12
DENSE_LEAST, DENSE_MOST = 48 << 20, 256 << 20  # bytes of weights
EXPERT_LEAST, EXPERT_MOST, MAPPED_MOST = 64 << 20, 256 << 20, 384 << 20
# Caches may be larger than that allows for, or than they are told: a virtual machine has a share of
# them that it cannot know. So experts of one usual type are tried far beyond them too, in a file of
# holes: it tells what a byte costs more there.
FAR, FAR_KIND, FAR_CACHES = "far", "q4_K", 3
FAR_LEAST = 1 << 30  # bytes; a virtual machine may need 3 s to give out as many the first time
NEAR = 160 << 20  # bytes of the other experts at most: what they miss less, that model tells
FAR_SHARE = 8  # of the memory that we may use
DENSE_HEADS, DENSE_FF = 16, 2048  # so that a block of any type is a small part of the whole
EXPERT_FF = 768  # as in a model of 30 billion weights
EXPERTS, USED = 128, 8
# Of a prompt only the last token passes the last block's experts.
EXPERT_BLOCKS = 2
FEW_HEADS, FEW_KV_HEADS = 8, 2  # beside experts, so that attention does not hide them
FEWEST_EXPERTS = 16
# Models of next to no weights, and others that are wider or have more heads.
ONCE, THIN, WIDE, HEADS, SLIM, SLIM_WIDE = "once", "thin", "wide", "heads", "slim", "slim-wide"
THIN_FF, THIN_WIDTH, THIN_HEADS, THIN_HEAD = 32, 256, 2, 64
THIN_BLOCKS, WIDE_BLOCKS, SLIM_BLOCKS, SLIM_WIDE_BLOCKS = 24, 8, 12, 3
MORE_FF, MORE_WIDTH, MORE_SLIM_WIDTH, MORE_HEADS, MORE_KV_HEADS = 256, 2048, 512, 16, 2
# Models of many blocks, whose small matrices are in no cache when their turn comes: a core waits at
# the beginning of each, which models of next to no weights do not tell.
DEEP, DEEP_EXPERTS = "deep", "deep-experts"
DEEP_BLOCKS, DEEP_WIDTH, DEEP_FF, DEEP_HEADS, DEEP_KV_HEADS = 36, 1024, 1024, 16, 4
DEEP_EXPERT_FF, FEWEST_DEEP = 256, 4
# Bytes of weights that one repetition passes, about: some 30 to 100 ms, since of short ones the
# quickest is luckier than any answer.
PASSED = 640 << 20
FEWEST_DECODED, MOST_DECODED = 5, 96  # tokens of one repetition
TIMES = 2  # repetitions in a row with all cores, which are seldom worse and mostly chosen
DENSE_READ = 64  # prompt tokens: a matrix product gains nothing beyond
ROWS = 32  # prompt tokens for each expert, as in a batch of 512 with 8 of 128 experts
# Neighbours of this machine and of a virtual one slow it for seconds on end, so that repetitions
# in a row say little: everything is timed twice some seconds apart in so many rounds, what they
# disagree about in one more while there is time, and the quickest counts.
ROUNDS = 2
APART = 0.05  # relative; less is the scatter of a quiet machine
TICK_S = 1e-9  # a time that no clock tells from none
BUDGET_S = 55.0  # that a person may wait for `edged calibrate`, less a trial
# Without flash attention a token's time grows less; a choice rests on what is measured anyway.
SLOPE_KINDS: tuple[figures.KvType, ...] = ("f16", "q8_0")
DEPTH = 512  # tokens of context at which attention is timed
SLOPE_BLOCKS, SLOPE_FF, SLOPE_WIDTH, SLOPE_HEADS, SLOPE_KV = 2, 256, 512, 32, 4


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
        return in_repetition(found.dense + found.experts)

    @property
    def decoded_by_fewer(self) -> int:
        """The same with fewer threads than cores, which take longer and are seldom the best."""
        return max(FEWEST_DECODED, self.decoded // 2)


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


def in_repetition(passed: float) -> int:
    """Tokens of one repetition of a model, of which each passes so many bytes of weights."""
    return max(FEWEST_DECODED, min(MOST_DECODED, int(PASSED // passed)))


def plan(
    features: Collection[str],
    cache_bytes: int,
    kinds: Sequence[str] = KINDS,
    memory_bytes: int = 0,
) -> list[Trial]:
    """The trials in their order.

    Args:
        features: Of the CPU: what is not rearranged on it is tried once.
        cache_bytes: Of its last-level cache.
        kinds: Types to try; the reference type and the router's are tried besides.
        memory_bytes: That we may use.
    """
    far = list(_far(cache_bytes, memory_bytes))
    # What all types rest on first: the last ones may find no time in the second round.
    trials = [*_light(), *far, *_deep(memory_bytes)]
    trials.append(Trial(name=f"dense {ROUTER}", shape=_dense(ROUTER, cache_bytes)))
    for kind in dict.fromkeys((REFERENCE, *kinds)):
        for repack in (False, True):
            if not repack or repackable(kind, EXPERT_FF, features):
                beyond = _beyond(cache_bytes, repack=repack)
                shape = _experts(kind, min(NEAR, beyond) if far else beyond)
                trials += [
                    Trial(name=f"dense {kind}", shape=_dense(kind, cache_bytes), repack=repack),
                    Trial(name=f"experts {kind}", shape=shape, repack=repack, read=_read(shape)),
                ]
    return [*trials, *_slopes()]


def _light() -> Iterator[Trial]:
    """Models of next to no weights."""
    thin = Shape(
        layers=THIN_BLOCKS,
        kind=REFERENCE,
        ff=THIN_FF,
        width=THIN_WIDTH,
        heads=THIN_HEADS,
        kv_heads=1,
        head=THIN_HEAD,
        expert_kind=REFERENCE,
    )
    chosen: dict[str, int] = {"experts": EXPERTS, "used": USED}
    changes: dict[str, dict[str, int]] = {
        ONCE: {"layers": 1},
        THIN: {},
        WIDE: {"layers": WIDE_BLOCKS, "width": MORE_WIDTH},
        HEADS: {"heads": MORE_HEADS, "kv_heads": MORE_KV_HEADS},
        SLIM: {"layers": SLIM_BLOCKS, **chosen},
        SLIM_WIDE: {
            "layers": SLIM_WIDE_BLOCKS,
            "width": MORE_SLIM_WIDTH,
            "ff": MORE_FF,
            **chosen,
        },
    }
    for name, change in changes.items():
        shape = msgspec.structs.replace(thin, **change)
        yield Trial(name=name, shape=shape, read=_read(shape) if shape.experts else DENSE_READ)


def _deep(memory_bytes: int) -> Iterator[Trial]:
    """Models of many blocks; with experts as far as memory allows it."""
    dense = Shape(
        layers=DEEP_BLOCKS,
        kind=REFERENCE,
        ff=DEEP_FF,
        width=DEEP_WIDTH,
        heads=DEEP_HEADS,
        kv_heads=DEEP_KV_HEADS,
        head=THIN_HEAD,
        hollow=True,
    )
    yield Trial(name=DEEP, shape=dense, read=0)
    chosen = msgspec.structs.replace(
        dense,
        ff=DEEP_EXPERT_FF,
        experts=EXPERTS,
        used=USED,
        expert_kind=FAR_KIND,
    )
    most = min(FAR_LEAST, memory_bytes // FAR_SHARE)
    layers = min(DEEP_BLOCKS, most // (_expert(chosen) * EXPERTS))
    if layers >= FEWEST_DEEP:
        shape = msgspec.structs.replace(chosen, layers=layers)
        yield Trial(name=DEEP_EXPERTS, shape=shape, read=0)


def rounds(planned: Sequence[Trial]) -> list[Trial]:
    """All that is loaded, in its order: prefill is timed in the first round alone."""
    again = [msgspec.structs.replace(trial, read=0) for trial in planned]
    return [*planned, *(trial for _ in range(ROUNDS - 1) for trial in again)]


def shorter(trial: Trial) -> Trial:
    """The same with half of the prompt, for a machine that is slow."""
    return msgspec.structs.replace(trial, read=trial.read // 2)


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


def _slopes() -> Iterator[Trial]:
    shape = Shape(
        layers=SLOPE_BLOCKS,
        kind=REFERENCE,
        ff=SLOPE_FF,
        width=SLOPE_WIDTH,
        heads=SLOPE_HEADS,
        kv_heads=SLOPE_KV,
    )
    for kv_type in SLOPE_KINDS:
        yield Trial(name=f"depth {kv_type}", shape=shape, depth=DEPTH, kv_type=kv_type)


def _read(shape: Shape) -> int:
    return ROWS * shape.experts // shape.used


def _dense(kind: str, cache_bytes: int) -> Shape:
    size = min(DENSE_MOST, max(DENSE_LEAST, DENSE_CACHES * cache_bytes))
    shape = Shape(layers=1, kind=kind, ff=DENSE_FF, heads=DENSE_HEADS, hollow=True)
    layers = max(1, size // amounts(shape, "decode").dense)
    return msgspec.structs.replace(shape, layers=layers)


def _beyond(cache_bytes: int, *, repack: bool) -> int:
    """Bytes of experts of which most are in no cache."""
    caches, most = (EXPERT_CACHES, EXPERT_MOST) if repack else (MAPPED_CACHES, MAPPED_MOST)
    return min(most, max(EXPERT_LEAST, caches * cache_bytes))


def _experts(kind: str, size: int) -> Shape:
    shape = Shape(
        layers=EXPERT_BLOCKS,
        kind=REFERENCE,
        ff=EXPERT_FF,
        heads=FEW_HEADS,
        kv_heads=FEW_KV_HEADS,
        used=USED,
        expert_kind=kind,
    )
    count = min(EXPERTS, max(FEWEST_EXPERTS, size // (_expert(shape) * shape.layers)))
    return msgspec.structs.replace(shape, experts=count // USED * USED)


def _far(cache_bytes: int, memory_bytes: int) -> Iterator[Trial]:
    """Nothing where memory does not allow for several times what the others have."""
    shape = _experts(FAR_KIND, NEAR)
    size = min(max(FAR_LEAST, FAR_CACHES * cache_bytes), memory_bytes // FAR_SHARE)
    layers = size // (_expert(shape) * EXPERTS)
    if size >= 2 * MAPPED_MOST:
        shape = msgspec.structs.replace(shape, layers=layers, experts=EXPERTS, hollow=True)
        yield Trial(name=f"{FAR} {FAR_KIND}", shape=shape, read=0)


def _expert(shape: Shape) -> int:
    """Bytes of one expert of one block."""
    return 3 * nbytes(shape.expert_kind, shape.ff * shape.width)
