"""Random blocks have the sizes and the deviations of the formats they claim to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize

from bench.blocks import BLOCK_TYPES, BlockSource, random_blocks

if TYPE_CHECKING:
    import numpy.typing as npt

WANTED = 0.02


@pytest.mark.parametrize("kind", BLOCK_TYPES)
def test_sizes_are_those_of_the_format(kind: str) -> None:
    layout = BLOCK_TYPES[kind]
    assert gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]] == (layout.weights, layout.size)


@pytest.mark.parametrize("kind", BLOCK_TYPES)
def test_weights_have_the_deviation_asked_for(kind: str) -> None:
    blocks = random_blocks(kind, 2000, WANTED, np.random.default_rng(1))
    weights = dequantize(blocks, gguf.GGMLQuantizationType[kind])
    assert np.isfinite(weights).all()
    assert weights.std() == pytest.approx(WANTED, rel=0.05)
    assert weights.mean() == pytest.approx(0, abs=0.02 * WANTED)


def test_a_source_gives_more_than_its_pool_holds() -> None:
    source = BlockSource(np.random.default_rng(1), pool_bytes=84 * 10)
    data = source.take("Q2_K", 84 * 1000, WANTED)
    assert data.shape == (84 * 1000,)
    assert data.dtype == np.uint8


def test_a_source_gives_different_stretches_and_the_same_ones_again() -> None:
    first, second = (BlockSource(np.random.default_rng(7)) for _ in range(2))
    stretches = [first.take("Q3_K", 110 * 50, WANTED) for _ in range(2)]
    assert not np.array_equal(stretches[0], stretches[1])
    assert np.array_equal(stretches[0], second.take("Q3_K", 110 * 50, WANTED))


@pytest.mark.parametrize("kind", BLOCK_TYPES)
def test_rows_differ_where_the_pool_repeats_itself(kind: str) -> None:
    layout, rows = BLOCK_TYPES[kind], 500
    source = BlockSource(np.random.default_rng(1), pool_bytes=layout.size * 80)
    size = layout.size * 8 * rows

    def told_apart(data: npt.NDArray[np.uint8]) -> int:
        return len(np.unique(data.reshape(rows, -1), axis=0))

    assert told_apart(source.take(kind, size, WANTED)) < rows
    data = source.take_rows(kind, size, WANTED)
    assert told_apart(data) == rows
    weights = dequantize(data.reshape(-1, layout.size), gguf.GGMLQuantizationType[kind])
    assert weights.std() == pytest.approx(1.05 * WANTED, rel=0.06)


def test_rows_that_the_pool_has_room_for_are_as_they_lie_there() -> None:
    first, second = (BlockSource(np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first.take_rows("Q3_K", 1100, WANTED), second.take("Q3_K", 1100, WANTED))
