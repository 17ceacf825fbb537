"""Random weights in valid quantised blocks, as fast as the disk takes them.

The scales make each weight's deviation about the one asked for, so that activations, and with
them the logits, stay finite through any number of layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

POOL_BYTES: Final = (
    16 * 1024 * 1024
)  # large enough that experts differ, small enough to fill at once
# How much larger than asked for a block's scale may be: some 24 values of an f16 as small as Q6_K
# has them, so that with the eight blocks of 2,048 weights no row is like another one.
SPREAD: Final = 0.1


class BlockType(msgspec.Struct, frozen=True, kw_only=True):
    """How one quantisation type lays out a block.

    Attributes:
        weights: Weights in a block.
        size: Bytes in a block.
        scale_at: Byte offset of `d`, a little-endian f16.
        divisor: `d` is the wanted deviation over this.
        min_at: Byte offset of `dmin`, a little-endian f16; None where there is none.
        min_ratio: `dmin` over `d`; centres the weights on zero.
    """

    weights: int
    size: int
    scale_at: int
    divisor: float
    min_at: int | None = None
    min_ratio: float = 0.0

    @property
    def bits(self) -> float:
        """Bits for each weight."""
        return 8 * self.size / self.weights


# Layouts as in ggml-common.h; the divisors were measured on blocks of uniformly random bits.
BLOCK_TYPES: Final = {
    "Q2_K": BlockType(weights=256, size=84, scale_at=80, divisor=14, min_at=82, min_ratio=1.5),
    "Q3_K": BlockType(weights=256, size=110, scale_at=108, divisor=43),
    "Q4_K": BlockType(weights=256, size=144, scale_at=0, divisor=258, min_at=2, min_ratio=7.5),
    "Q5_K": BlockType(weights=256, size=176, scale_at=0, divisor=529, min_at=2, min_ratio=15.5),
    "Q6_K": BlockType(weights=256, size=210, scale_at=208, divisor=1366),
    "Q8_0": BlockType(weights=32, size=34, scale_at=0, divisor=74),
}


def random_blocks(
    kind: str, count: int, deviation: float, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Fill blocks with random bits and set their scales.

    Args:
        kind: A key of BLOCK_TYPES.
        count: How many blocks.
        deviation: The standard deviation the weights shall have.
        rng: Where the bits come from.

    Returns:
        `count` rows of one block each.
    """
    layout = BLOCK_TYPES[kind]
    blocks = rng.integers(0, 256, size=(count, layout.size), dtype=np.uint8)
    scale = deviation / layout.divisor
    _put_f16(blocks, layout.scale_at, scale)
    if layout.min_at is not None:
        _put_f16(blocks, layout.min_at, scale * layout.min_ratio)
    return blocks


def _put_f16(blocks: npt.NDArray[np.uint8], at: int, value: float) -> None:
    blocks[:, at : at + 2] = np.frombuffer(np.float16(value).tobytes(), dtype=np.uint8)


class BlockSource:
    """Hands out weights from one pool for each type and deviation."""

    def __init__(self, rng: np.random.Generator, pool_bytes: int = POOL_BYTES) -> None:
        self._rng = rng
        self._pool_bytes = pool_bytes
        self._pools: dict[tuple[str, float], npt.NDArray[np.uint8]] = {}

    def take(self, kind: str, size: int, deviation: float) -> npt.NDArray[np.uint8]:
        """Give `size` bytes of whole blocks: stretches of the pool from random offsets."""
        pool = self._pool(kind, deviation)
        left = size // BLOCK_TYPES[kind].size
        stretches = []
        while left > 0:
            start = int(self._rng.integers(0, max(1, len(pool) // 2)))
            stretches.append(pool[start : start + left])
            left -= len(stretches[-1])
        return np.concatenate(stretches).reshape(-1)

    def take_rows(self, kind: str, size: int, deviation: float) -> npt.NDArray[np.uint8]:
        """Like `take`, but no two rows are alike where the pool has to repeat itself.

        Equal rows of an output matrix are equal scores, of which each program takes another one.
        """
        layout = BLOCK_TYPES[kind]
        data = self.take(kind, size, deviation)
        if size > self._pool_bytes // 2:
            scales = data.reshape(-1, layout.size)[:, layout.scale_at : layout.scale_at + 2]
            own = 1 + SPREAD * self._rng.random(len(scales), dtype=np.float32)
            told = np.ascontiguousarray(scales).view("<f2")[:, 0] * own
            scales[:] = told.astype("<f2")[:, None].view(np.uint8)
        return data

    def _pool(self, kind: str, deviation: float) -> npt.NDArray[np.uint8]:
        key = (kind, deviation)
        if key not in self._pools:
            count = max(1, self._pool_bytes // BLOCK_TYPES[kind].size)
            self._pools[key] = random_blocks(kind, count, deviation, self._rng)
        return self._pools[key]
