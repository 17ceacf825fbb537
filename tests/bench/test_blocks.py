"""Random blocks have the sizes and the deviations of the formats they claim to be."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize

from bench.blocks import BLOCK_TYPES, BlockSource, random_blocks

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
