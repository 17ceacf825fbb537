"""How fast this machine reads memory, and how many bytes of a model one token has to read."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np

from bench.shapes import plan

if TYPE_CHECKING:
    from bench.mixes import Mix
    from bench.shapes import Shape

ARRAY_BYTES: Final = 256 * 2**20  # of each thread; far more than any cache holds
PASSES: Final = 20  # the fastest counts: a neighbour only ever slows one down
GB: Final = 1e9


def read_gb_per_s(threads: int, array_bytes: int = ARRAY_BYTES) -> float:
    """Read bandwidth of memory in GB/s, all threads together.

    Each thread takes the maximum of an array of its own, which numpy does with the widest loads
    the CPU has and without Python's lock.
    """
    arrays = [np.ones(array_bytes // 8, dtype=np.float64) for _ in range(threads)]
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(PASSES):
            begin = time.perf_counter()
            list(pool.map(np.max, arrays))
            best = min(best, time.perf_counter() - begin)
    return threads * array_bytes / best / GB


def bytes_per_token(shape: Shape, mix: Mix) -> int:
    """Bytes of weights that decoding one token reads: of the experts only the used ones."""
    total = 0
    for tensor in plan(shape, mix):
        if tensor.name == "token_embd.weight":
            total += tensor.size // shape.vocabulary  # one row
        elif "_exps." in tensor.name:
            total += tensor.size * shape.used // shape.experts
        else:
            total += tensor.size
    return total
