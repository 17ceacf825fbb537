from __future__ import annotations

from typing import Any

import pytest

from edged.models.gguf import BadHeader, Header, read
from tests.models.rawgguf import ARR, STR, U32, build, tiny

I8_BOOL = 7


def header(architecture: str, blocks: Any = 4, **keys: Any) -> Header | BadHeader:
    """A model of an architecture whose own keys are given without its name."""
    values = {key: value for key, value in tiny().items() if not key.startswith("llama.")}
    values["general.architecture"] = (STR, architecture)
    own: dict[str, Any] = {
        "block_count": blocks,
        "context_length": 512,
        "embedding_length": 64,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        **{key.replace("__", "."): value for key, value in keys.items()},
    }
    for key, value in own.items():
        values[f"{architecture}.{key}"] = value if isinstance(value, tuple) else (U32, value)
    data = build(values)
    found = read(data, len(data))
    assert isinstance(found, Header | BadHeader)
    return found


def facts(architecture: str, blocks: Any = 4, **keys: Any) -> tuple[Any, ...]:
    found = header(architecture, blocks, **keys)
    assert isinstance(found, Header), found
    shape = found.geometry
    return shape.head_counts_kv, shape.recurrent, shape.state_width


MIXER = {
    "ssm__conv_kernel": 4,
    "ssm__inner_size": 128,
    "ssm__state_size": 16,
    "ssm__group_count": 2,
}
WIDTH = 3 * (128 + 2 * 2 * 16) + 128 * 16


def test_a_transformer_keeps_no_state() -> None:
    assert facts("llama") == ((2,) * 4, (False,) * 4, 0)


@pytest.mark.parametrize("architecture", ["mamba", "mamba2"])
def test_a_mamba_model_caches_no_keys(architecture: str) -> None:
    assert facts(architecture, **MIXER) == ((0,) * 4, (True,) * 4, WIDTH)


def test_a_hybrid_has_one_or_the_other() -> None:
    heads = {"attention.head_count_kv": (ARR, (U32, [0, 2, 0, 4]))}
    found = facts("granitehybrid", **MIXER, **heads)
    assert found == ((0, 2, 0, 4), (True, False, True, False), WIDTH)


def test_falcon_h1_has_both_in_each_block() -> None:
    assert facts("falcon-h1", **MIXER) == ((2,) * 4, (True,) * 4, WIDTH)


def test_linear_attention_in_all_but_every_fourth_block() -> None:
    expected = ((0, 0, 0, 2), (True, True, True, False), WIDTH)
    assert facts("qwen35moe", **MIXER) == expected
    every = facts("qwen35", **MIXER, full_attention_interval=2)
    assert every[0] == (0, 2, 0, 2)


def test_the_file_may_name_the_blocks_itself() -> None:
    listed = {"attention.recurrent_layers": (ARR, (I8_BOOL, [1, 0, 0, 1]))}
    assert facts("qwen3next", **MIXER, **listed)[:2] == ((0, 2, 2, 0), (True, False, False, True))


def test_blocks_that_predict_further_tokens_cache_nothing() -> None:
    found = facts("qwen35", 5, **MIXER, nextn_predict_layers=1)
    assert found[0] == (0, 0, 0, 2, 0)
    assert found[1] == (True, True, True, False, False)


def test_blocks_that_share_the_cache_of_others_have_none() -> None:
    assert facts("gemma3n", attention__shared_kv_layers=2)[0] == (2, 2, 0, 0)


def test_a_block_of_feed_forward_alone_has_neither() -> None:
    keys = {
        "attention.head_count_kv": (ARR, (U32, [0, 0, 2, 0])),
        "feed_forward_length": (ARR, (U32, [0, 256, 0, 0])),
    }
    found = facts("nemotron_h", **MIXER, **keys)
    assert found[1] == (True, False, False, True)


@pytest.mark.parametrize(
    ("architecture", "keys", "width"),
    [
        ("rwkv7", {"wkv__head_size": 8}, 64 * (2 + 8)),
        ("lfm2", {"shortconv__l_cache": 3, "attention__head_count_kv": 0}, 64 * 2),
        (
            "kimi-linear",
            {"kda__head_dim": 8, "ssm__conv_kernel": 4, "attention__head_count_kv": 0},
            3 * 3 * 4 * 8 + 8 * 8 * 4,
        ),
    ],
)
def test_other_states(architecture: str, keys: dict[str, Any], width: int) -> None:
    assert facts(architecture, **keys)[2] == width


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"ssm__inner_size": 1 << 30}, "ssm.inner_size"),
        ({"ssm__conv_kernel": 1 << 20}, "ssm.conv_kernel"),
        ({**MIXER, "full_attention_interval": 0}, "full_attention_interval"),
        ({"nextn_predict_layers": 4}, "nextn_predict_layers"),
    ],
)
def test_numbers_out_of_bounds_are_refused(keys: dict[str, Any], said: str) -> None:
    found = header("qwen35", **keys)
    assert isinstance(found, BadHeader)
    assert said in found.reason
