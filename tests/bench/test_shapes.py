"""The plan of a made-up model has the sizes of the published ones."""

from __future__ import annotations

import math

import msgspec
import pytest

from bench.mixes import MIXES
from bench.shapes import SHAPES, bits_per_weight, plan

GB = 1e9


@pytest.mark.parametrize("name", MIXES)
def test_a_mix_is_named_by_its_bits_at_full_depth(name: str) -> None:
    bits = bits_per_weight(plan(SHAPES["30b-a3b"], MIXES[name]))
    assert bits == pytest.approx(float(name), abs=0.02)


def test_the_full_shape_has_the_weights_and_bytes_of_the_real_one() -> None:
    tensors = plan(SHAPES["30b-a3b"], MIXES["2.70"])
    assert sum(tensor.weights for tensor in tensors) == pytest.approx(30.53e9, rel=0.001)
    assert sum(tensor.size for tensor in tensors) == pytest.approx(10.33e9, rel=0.01)


@pytest.mark.parametrize("mix", MIXES)
def test_the_overhead_shape_stays_small_with_any_mix(mix: str) -> None:
    assert sum(tensor.size for tensor in plan(SHAPES["overhead"], MIXES[mix])) < 1.5 * GB


def test_every_row_is_whole_blocks() -> None:
    for shape in SHAPES.values():
        for tensor in plan(shape, MIXES["3.25"]):
            assert tensor.kind == "F32" or tensor.shape[-1] % 256 == 0, tensor.name


def test_names_are_unique_and_experts_have_a_router() -> None:
    names = [tensor.name for tensor in plan(SHAPES["tiny"], MIXES["2.70"])]
    assert len(names) == len(set(names))
    assert "blk.1.ffn_gate_inp.weight" in names
    assert "blk.1.ffn_down_exps.weight" in names


def test_a_dense_model_has_no_experts() -> None:
    shape = SHAPES["tiny-dense"]
    names = [tensor.name for tensor in plan(shape, MIXES["2.70"])]
    assert shape.architecture == "qwen3"
    assert "blk.0.ffn_down.weight" in names
    assert not [name for name in names if "exps" in name or "gate_inp" in name]


def test_some_layers_have_a_better_down_projection() -> None:
    shape = msgspec.structs.replace(SHAPES["tiny"], layers=13)
    kinds = {tensor.name: tensor.kind for tensor in plan(shape, MIXES["2.70"])}
    better = [i for i in range(13) if kinds[f"blk.{i}.ffn_down_exps.weight"] == "Q3_K"]
    assert better == [0, 12]


def test_a_mamba_model_has_mixers_and_no_feed_forward() -> None:
    shape = SHAPES["tiny-mamba2"]
    names = [tensor.name for tensor in plan(shape, MIXES["2.70"])]
    assert shape.architecture == "mamba2"
    assert "blk.3.ssm_in.weight" in names
    assert not [name for name in names if "attn_q" in name or "ffn" in name]


def test_a_hybrid_attends_in_some_layers_and_mixes_in_the_others() -> None:
    shape = SHAPES["tiny-hybrid"]
    names = {tensor.name for tensor in plan(shape, MIXES["2.70"])}
    assert shape.architecture == "granitehybrid"
    for layer in range(shape.layers):
        attends = layer in (1, 3)
        assert (f"blk.{layer}.attn_q.weight" in names) is attends
        assert (f"blk.{layer}.ssm_a" in names) is not attends
        assert f"blk.{layer}.ffn_down_exps.weight" in names
    assert "blk.1.attn_q_norm.weight" not in names


def test_a_mixer_forgets_at_rates_that_stay_finite() -> None:
    tensors = {tensor.name: tensor for tensor in plan(SHAPES["tiny-mamba2"], MIXES["2.70"])}
    steps = [math.log1p(math.exp(bias)) for bias in tensors["blk.0.ssm_dt.bias"].values]
    assert steps == sorted(steps)
    assert steps[0] == pytest.approx(0.001)
    assert steps[-1] < 0.1
    assert all(-16 < decay < 0 for decay in tensors["blk.0.ssm_a"].values)
