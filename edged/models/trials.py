"""Which made-up models calibrate a board.

A token's time is taken as a sum: once, of each block, of each block's experts, of each byte of
weights by its type. A few models that differ in one term each tell the terms apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from edged.models.blocks import nbytes
from edged.models.made import Shape, parts
from edged.models.repacking import repackable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

# Types that published files are made of.
KINDS = ("q4_K", "q2_K", "q3_K", "q5_K", "q6_K", "q8_0", "q4_0", "iq4_xs", "iq3_s", "f16")
REFERENCE = "q4_K"  # whose trials tell the other terms
ROUTER = "f32"  # of what chooses the experts
# Decode reads memory only if a model is some times what the last-level cache holds; a dense model
# is read in turn, so that less will do, while experts are hit at random.
DENSE_CACHES, EXPERT_CACHES = 3, 8
DENSE_LEAST, DENSE_MOST = 48 << 20, 128 << 20  # bytes of weights
EXPERT_LEAST, EXPERT_MOST = 64 << 20, 256 << 20
DENSE_FF, EXPERT_FF = 6144, 768  # as in models of 1.7 and of 30 billion weights
EXPERTS, USED, SLIM_FF = 128, 8, 256
FEW_HEADS, FEW_KV_HEADS = 8, 2  # beside experts, so that attention does not hide them
FEWEST_EXPERTS = 16
THIN_HEADS, THIN_FF, THIN_BLOCKS = 4, 256, 32
DECODED = 16  # tokens of one repetition
DENSE_READ = 96  # prompt tokens: a matrix product gains nothing beyond
ROWS = 32  # prompt tokens for each expert, as in a batch of 512 with 8 of 128 experts
REPEAT = 3
READ_REPEAT = 2
DEPTH = 512  # tokens of context at which attention is timed
SLOPE_BLOCKS, SLOPE_WIDTH, SLOPE_HEADS, SLOPE_KV = 4, 512, 32, 4
KV_TYPES: tuple[Literal["f16", "q8_0"], ...] = ("f16", "q8_0")


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
    kv_type: Literal["f16", "q8_0"] = "f16"


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
    slim = msgspec.structs.replace(_experts(REFERENCE, cache_bytes), ff=SLIM_FF)
    trials = [
        Trial(name="once", shape=msgspec.structs.replace(thin, layers=1)),
        Trial(name="thin", shape=thin),
        Trial(name=f"dense {ROUTER}", shape=_dense(ROUTER, cache_bytes)),
        Trial(name="slim", shape=slim, read=_read(slim)),
    ]
    for kind in dict.fromkeys((REFERENCE, *kinds)):
        for repack in (False, True):
            if not repack or repackable(kind, EXPERT_FF, features):
                trials += _both(kind, cache_bytes, repack=repack)
    return [*trials, *_slopes()]


def _both(kind: str, cache_bytes: int, *, repack: bool) -> Iterator[Trial]:
    dense = _dense(kind, cache_bytes)
    yield Trial(name=f"dense {kind}", shape=dense, repack=repack)
    shape = _experts(kind, cache_bytes)
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
    for kv_type in KV_TYPES:
        yield Trial(name=f"depth {kv_type}", shape=shape, depth=DEPTH, kv_type=kv_type)


def _read(shape: Shape) -> int:
    return ROWS * shape.experts // shape.used


def _dense(kind: str, cache_bytes: int) -> Shape:
    size = min(DENSE_MOST, max(DENSE_LEAST, DENSE_CACHES * cache_bytes))
    shape = Shape(layers=1, kind=kind, ff=DENSE_FF)
    return msgspec.structs.replace(shape, layers=max(1, size // dense_bytes(shape)))


def _experts(kind: str, cache_bytes: int) -> Shape:
    size = min(EXPERT_MOST, max(EXPERT_LEAST, EXPERT_CACHES * cache_bytes))
    shape = Shape(
        layers=1,
        kind=REFERENCE,
        ff=EXPERT_FF,
        heads=FEW_HEADS,
        kv_heads=FEW_KV_HEADS,
        used=USED,
        expert_kind=kind,
    )
    one = 3 * nbytes(kind, EXPERT_FF * shape.width)
    count = min(EXPERTS, max(FEWEST_EXPERTS, size // one)) // USED * USED
    return msgspec.structs.replace(shape, experts=count)


def dense_bytes(shape: Shape) -> int:
    """Bytes of matrices that every token passes, of all blocks, without the router."""
    return sum(
        part.nbytes
        for part in parts(shape)
        if part.name.startswith("blk.") and not part.ones and not _is_experts(part.name)
    )


def router_bytes(shape: Shape) -> int:
    """Bytes of what chooses the experts, of all blocks."""
    return sum(part.nbytes for part in parts(shape) if "_inp" in part.name)


def _is_experts(name: str) -> bool:
    return "_exps" in name or "_inp" in name


def expert_bytes(shape: Shape) -> int:
    """Bytes of the experts that one token passes, of all blocks."""
    size = sum(part.nbytes for part in parts(shape) if "_exps" in part.name)
    return size * shape.used // shape.experts if shape.experts else 0
