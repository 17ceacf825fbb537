from __future__ import annotations

import random
from math import prod
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from gguf import GGMLQuantizationType, dequantize

from edged.models.blocks import KINDS, POOL_BLOCKS, SIZES, nbytes, pool
from edged.models.gguf import Header, read
from edged.models.made import ALIGNMENT, CHUNK_BYTES, VOCABULARY, Shape, file, parts, size

if TYPE_CHECKING:
    from collections.abc import Callable


def source(seed: int = 0) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes  # noqa: S311 - weights, no secret


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_random_blocks_hold_weights_of_the_deviation_asked_for(kind: str) -> None:
    data = np.frombuffer(pool(kind, 0.02, source()), dtype=np.uint8)
    name = {"f32": "F32", "f16": "F16", "bf16": "BF16"}.get(kind, kind.upper())
    weights = dequantize(data, GGMLQuantizationType[name])
    assert weights.size == POOL_BLOCKS * SIZES[kind][0]
    assert np.isfinite(weights).all()
    # powers of two are as near as floats and mxfp4 come
    loose = kind in {"f32", "f16", "bf16", "mxfp4"}
    assert weights.std() == pytest.approx(0.02, rel=0.55 if loose else 0.05)
    assert abs(weights.mean()) < 0.15 * weights.std()


def test_the_same_bits_make_the_same_file() -> None:
    shape = Shape(layers=1, kind="q4_K", ff=256, width=256, heads=2, kv_heads=1)
    first, again, other = (b"".join(file(shape, source(seed))) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("experts", [0, 8])
def test_what_is_written_is_a_sound_model(experts: int) -> None:
    shape = Shape(
        layers=2,
        kind="q5_K",
        ff=256,
        width=256,
        heads=2,
        kv_heads=1,
        experts=experts,
        used=2 if experts else 0,
        expert_kind="iq4_xs",
    )
    data = b"".join(file(shape, source()))
    header = read(data, len(data))
    assert isinstance(header, Header)
    assert header.geometry.architecture == ("qwen3moe" if experts else "qwen3")
    assert header.geometry.n_vocab == VOCABULARY
    assert header.geometry.head_counts_kv == (1, 1)
    assert (header.geometry.expert_count, header.geometry.expert_used_count) == (
        (8, 2) if experts else (0, 0)
    )
    assert header.tensor_bytes == size(shape)
    assert [tensor.name for tensor in header.tensors] == [part.name for part in parts(shape)]
    assert len(data) % ALIGNMENT == 0
    routers = [tensor for tensor in header.tensors if "gate_inp" in tensor.name]
    assert len(routers) == (2 if experts else 0)


def test_pieces_are_small_and_tensors_whole() -> None:
    shape = Shape(layers=1, kind="q8_0", ff=4096, width=2048, heads=4, kv_heads=1)
    assert all(len(piece) <= CHUNK_BYTES for piece in file(shape, source()))
    for part in parts(shape):
        assert part.nbytes == nbytes(part.kind, prod(part.dims))


def test_of_a_hollow_model_the_blocks_matrices_are_zeros_and_nothing_else_is() -> None:
    dense = Shape(layers=1, kind="q8_0", ff=32, width=256, heads=2, kv_heads=1)
    shape = msgspec.structs.replace(dense, experts=8, used=2, expert_kind="q8_0", hollow=True)
    data = b"".join(file(shape, source()))
    header = read(data, len(data))
    assert isinstance(header, Header)
    for tensor in header.tensors:
        at = header.data_offset + tensor.offset
        filled = (
            not tensor.name.startswith("blk.") or "norm" in tensor.name or "_inp" in tensor.name
        )
        assert any(data[at : at + tensor.nbytes]) == filled, tensor.name
