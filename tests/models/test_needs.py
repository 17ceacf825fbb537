from __future__ import annotations

import msgspec
import pytest

from edged.models import fit
from edged.models.fit import MIB, Setup
from edged.models.needs import COMPUTE, OVERHEAD, UNKNOWN_KV, need_of, need_published
from tests.models.test_fit import geometry
from tests.models.test_headerfacts import Q8_0, header
from tests.models.values import family, variant

SETUP = Setup(context=2048, streams=1, prefix_tokens=4096)
ONE = variant("a", bytes=10_286_446_674)
SHAPE = family(ONE, kv_bytes_per_token=98_304, context=262_144)


def test_a_published_need_has_all_parts() -> None:
    need = need_published(ONE, SHAPE, SETUP)
    assert need is not None
    assert need.weights == 10_286_446_674
    assert need.kv == 2048 * 98_304
    assert need.prefix == 4096 * 98_304
    assert (need.compute, need.overhead) == (COMPUTE, OVERHEAD)


def test_the_cache_is_as_large_as_asked_for() -> None:
    small = need_published(ONE, SHAPE, msgspec.structs.replace(SETUP, kv_type="q8_0"), 64)
    assert small is not None
    assert small.kv == 2048 * 52_224
    # never less than one context, as the child makes it, and the memory beside it
    assert small.prefix == 2048 * 52_224 + 64 * MIB
    wide = need_published(ONE, SHAPE, msgspec.structs.replace(SETUP, streams=3), 256)
    assert wide is not None
    assert wide.kv == 3 * 2048 * 98_304
    assert wide.prefix == 2048 * 98_304 + 256 * MIB
    long = need_published(ONE, SHAPE, msgspec.structs.replace(SETUP, context=8192), 256)
    assert long is not None
    assert long.prefix == 8192 * 98_304 + 256 * MIB
    short = need_published(ONE, family(ONE, kv_bytes_per_token=2, context=512), SETUP)
    assert short is not None
    assert short.kv == 512 * 2


def test_what_is_not_known() -> None:
    need = need_published(ONE, family(ONE), SETUP)
    assert need is not None
    assert need.kv == 2048 * UNKNOWN_KV
    assert need_published(variant("b"), SHAPE, SETUP) is None


def test_a_header_needs_what_fit_says_with_prefixes_bounded() -> None:
    found, _ = header((Q8_0, 4))
    assert need_of(found, SETUP) == fit.need(found, SETUP)
    per_token = fit.kv_bytes_per_token(found.geometry, "f16")
    bounded = msgspec.structs.replace(SETUP, prefix_tokens=MIB // per_token, prefix_bytes=MIB)
    assert need_of(found, SETUP, 1) == fit.need(found, bounded)


def test_both_agree_for_the_30b_shape() -> None:
    found, _ = header((Q8_0, 4))
    shape = geometry(
        n_ctx_train=262_144,
        n_vocab=151_936,
        block_count=48,
        embedding_length=2048,
        head_counts=(32,) * 48,
        head_counts_kv=(4,) * 48,
        key_length=128,
        value_length=128,
    )
    real = msgspec.structs.replace(found, geometry=shape)
    exact = need_of(real, SETUP, 256)
    listed = need_published(variant("x", bytes=exact.weights), SHAPE, SETUP, 256)
    assert listed is not None
    assert (listed.kv, listed.prefix) == pytest.approx((exact.kv, exact.prefix), abs=30 * MIB)
    assert listed.total >= exact.total - MIB
