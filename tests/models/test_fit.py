from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from edged.models.figures import KINDS, NO_FLASH
from edged.models.fit import MIB, Setup, keeping, kv_bytes_per_token, need, tokens_in
from edged.models.gguf import Header, read
from tests.models.rawgguf import build

if TYPE_CHECKING:
    from edged.models.metadata import Geometry


def geometry(**changes: Any) -> Geometry:
    data = build()
    header = read(data, len(data))
    assert isinstance(header, Header)
    return msgspec.structs.replace(header.geometry, **changes)


def test_the_30b_shape_takes_what_llama_cpp_says_it_takes() -> None:
    # Qwen3-30B-A3B: 48 blocks of 4 heads of 128, 98,304 bytes a token in f16
    shape = geometry(head_counts_kv=(4,) * 48, key_length=128, value_length=128)
    assert kv_bytes_per_token(shape, "f16") == 98_304
    assert kv_bytes_per_token(shape, "q8_0") == 52_224


def test_keys_and_values_may_differ_and_blocks_too() -> None:
    shape = geometry(head_counts_kv=(0, 2, 0, 4), key_length=192, value_length=128)
    assert kv_bytes_per_token(shape, "f16") == 6 * 320 * 2
    assert kv_bytes_per_token(geometry(head_counts_kv=(0, 0)), "f16") == 0


def test_a_type_nobody_knows_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        kv_bytes_per_token(geometry(), "q4_0")


def test_tokens_that_fit() -> None:
    assert tokens_in(256, 98_304, 16_384) == 2730
    assert tokens_in(65_536, 98_304, 16_384) == 16_384
    assert tokens_in(1, MIB, 16_384) == 1
    assert tokens_in(1, MIB + 1, 16_384) == 0
    assert tokens_in(0, 98_304, 16_384) == 0


def test_a_model_without_attention_has_whole_states() -> None:
    assert tokens_in(1, 0, 16_384) == 16_384
    assert tokens_in(0, 0, 16_384) == 0


def test_without_flash_attention_scores_take_memory() -> None:
    data = build()
    header = read(data, len(data))
    assert isinstance(header, Header)
    usual, small, without = (need(header, keeping(Setup(), kind)) for kind in KINDS)
    assert small.kv < usual.kv == without.kv
    assert without.compute > usual.compute == small.compute
    assert keeping(keeping(Setup(), NO_FLASH), "f16") == Setup()
