from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.models import buffers
from edged.models.facts import DeviceFacts
from edged.models.fit import (
    CELLS,
    GIB,
    MIB,
    Fit,
    Setup,
    budget,
    default_reserve,
    kv_bytes_per_token,
    need,
)
from edged.models.gguf import Header, Tensor, read
from edged.models.made import Shape, file
from edged.models.repacking import (
    droppable_bytes,
    is_repacked,
    output_copy,
    repackable,
    repacked_bytes,
)

SMALL = {"width": 256, "heads": 4, "kv_heads": 2, "head": 64}
LIMIT = 4096


def header(**changes: Any) -> Header:
    kinds = {"kind": "q4_K", "table_kind": "q4_K"}
    shape = Shape(**{"layers": 2, "ff": 512, **kinds, **SMALL, **changes})
    data = b"".join(file(shape, random.Random(0).randbytes))  # noqa: S311 - weights
    found = read(data, len(data))
    assert isinstance(found, Header)
    return found


DENSE = header()
EXPERTS = header(experts=8, used=2, expert_kind="q5_K")


def with_geometry(base: Header, **changes: Any) -> Header:
    return msgspec.structs.replace(base, geometry=msgspec.structs.replace(base.geometry, **changes))


def test_the_parts_add_up_to_the_file_and_its_cache() -> None:
    setup = Setup(context=2048, streams=2, prefix_tokens=1000, repack=False)
    found = need(DENSE, setup)
    assert found.weights == DENSE.data_offset + DENSE.tensor_bytes
    assert found.repacked == found.droppable == 0
    per_token = kv_bytes_per_token(DENSE.geometry, "f16")
    # the urgent run finds its room among the prefixes, so there is a context's worth of them
    assert found.prefix == 2048 * per_token
    assert found.kv == 2 * 2048 * per_token
    assert found.overhead > DENSE.geometry.n_vocab
    assert found.total == sum(
        getattr(found, name)
        for name in ("weights", "repacked", "kv", "prefix", "compute", "overhead")
    )


def test_what_is_copied_out_of_the_context_counts_beside_it() -> None:
    setup = Setup(context=2048, prefix_tokens=8192, prefix_bytes=10 * MIB)
    per_token = kv_bytes_per_token(DENSE.geometry, "f16")
    assert need(DENSE, setup).prefix == 2048 * per_token + 10 * MIB
    # a recurrent state cannot be cut, so nothing is copied out
    hybrid = with_geometry(DENSE, recurrent=(True, False), state_width=1000)
    assert need(hybrid, setup).prefix == 8192 * per_token


def test_rearranged_weights_move_and_their_pages_can_be_dropped() -> None:
    plain = need(DENSE, Setup(repack=False, features=("avx2",)))
    moved = need(DENSE, Setup(features=("avx2",)))
    assert moved.repacked > moved.droppable > 0
    assert moved.weights + moved.repacked == plain.weights
    # the output is behind all that stays mapped, so its pages are given back
    output = DENSE.tensors[-1].nbytes
    assert moved.droppable == moved.repacked - output
    alone = msgspec.structs.replace(DENSE, tensors=DENSE.tensors[-1:])
    assert droppable_bytes(alone, ("avx2",)) == 0
    assert need(DENSE, Setup()).repacked == 0


def test_an_embedding_that_is_the_output_too_is_copied() -> None:
    tied = msgspec.structs.replace(
        DENSE, tensors=tuple(each for each in DENSE.tensors if each.name != "output.weight")
    )
    assert output_copy(DENSE, ("avx2",)) == 0
    assert output_copy(tied, ("avx2",)) == tied.tensors[0].nbytes
    assert output_copy(tied, ()) == 0
    assert need(tied, Setup(features=("avx2",))).repacked > repacked_bytes(tied, ("avx2",))
    assert output_copy(msgspec.structs.replace(DENSE, tensors=()), ("avx2",)) == 0


@pytest.mark.parametrize(
    ("kind", "rows", "features", "expected"),
    [
        ("q4_K", 64, {"avx2"}, True),
        ("q4_K", 64, {"asimddp"}, True),
        ("q4_K", 60, {"avx2"}, False),
        ("q4_0", 60, {"asimddp"}, True),
        ("q4_0", 60, {"avx2"}, False),
        ("q2_K", 64, {"avx2"}, False),
        ("q2_K", 64, {"avx2", "avx512f"}, True),
        ("q3_K", 64, {"avx512f", "i8mm", "asimddp", "avx2"}, False),
        ("q5_K", 64, {"avx2"}, False),
        ("q6_K", 64, {"i8mm"}, True),
        ("iq4_nl", 64, {"i8mm"}, False),
        ("q8_0", 4, {"asimddp"}, True),
        ("f16", 64, {"avx2", "asimddp"}, False),
    ],
)
def test_which_types_llama_cpp_rearranges(
    kind: str, rows: int, features: set[str], expected: object
) -> None:
    assert repackable(kind, rows, features) is expected


@pytest.mark.parametrize(
    ("name", "dims", "expected"),
    [
        ("blk.0.ffn_up.weight", (256, 64), True),
        ("blk.0.ffn_up_exps.weight", (256, 64, 8), True),
        ("token_embd.weight", (256, 64), False),
        ("blk.0.ssm_conv1d.weight", (256, 64), False),
        ("blk.0.attn_norm.weight", (256,), False),
    ],
)
def test_which_tensors_are_rearranged(name: str, dims: tuple[int, ...], expected: object) -> None:
    assert is_repacked(Tensor(name, "q4_K", dims, 0, 1), ("avx2",)) is expected


def test_recurrent_states_count_for_all_sequences_and_no_context() -> None:
    shape = with_geometry(
        DENSE, head_counts=(0, 0), head_counts_kv=(0, 0), recurrent=(True, True), state_width=1000
    )
    short, long = (need(shape, Setup(context=context)) for context in (512, 8192))
    assert short.kv == long.kv == 2 * 1000 * 4 * (1 + 1 + 1 + 8 + 1)
    assert short.prefix == 0


def test_scores_are_written_out_without_flash_attention() -> None:
    flash, without = (
        need(DENSE, Setup(context=4096, flash_attention=each)).compute for each in (True, False)
    )
    assert without > flash


def test_experts_and_wide_parts_are_seen() -> None:
    assert need(EXPERTS, Setup()).compute > need(DENSE, Setup()).compute
    mixer = Tensor("blk.0.ssm_in.weight", "f32", (256, 100_000), 0, 4)
    joined = Tensor("blk.0.ffn_gate_up_exps.weight", "f32", (256, 50_000, 8), 0, 4)
    for extra in (mixer, joined):
        wide = msgspec.structs.replace(EXPERTS, tensors=(*EXPERTS.tensors, extra))
        assert need(wide, Setup()).compute > need(EXPERTS, Setup()).compute


@given(st.integers(256, 16_384), st.integers(1, 16), st.integers(16, 2048))
def test_more_of_anything_never_needs_less(context: int, streams: int, chunk: int) -> None:
    base = Setup(context=context, streams=streams, prefill_chunk=chunk)
    least = need(EXPERTS, base).total
    assert need(EXPERTS, msgspec.structs.replace(base, context=context + CELLS)).total >= least
    # llama.cpp rounds the rows of a step up to a multiple of the sequences, so of these only cells
    more = need(EXPERTS, msgspec.structs.replace(base, streams=streams + 1))
    assert more.kv >= need(EXPERTS, base).kv
    assert need(EXPERTS, msgspec.structs.replace(base, kv_type="q8_0")).total <= least


def test_sequences_are_those_of_the_workers_context() -> None:
    assert buffers.sequences(1, recurrent=False) == 19
    assert buffers.sequences(2, recurrent=True) == 13


def device(**changes: Any) -> DeviceFacts:
    base: dict[str, Any] = {
        "architecture": "aarch64",
        "cores": 4,
        "ram_bytes": 16 * GIB,
        "available_bytes": 14 * GIB,
    }
    return DeviceFacts(**{**base, **changes})


def test_the_least_limit_counts() -> None:
    assert budget(device()).limit == "memory"
    assert budget(device()).have == 13 * GIB
    grouped = budget(device(cgroup_limit_bytes=8 * GIB, cgroup_used_bytes=GIB))
    assert (grouped.limit, grouped.have) == ("cgroup", 6 * GIB)
    capped = budget(device(), cap=2 * GIB)
    assert (capped.limit, capped.have, capped.reserve) == ("cap", 2 * GIB, 0)


def test_what_our_child_holds_is_ours_to_use() -> None:
    assert budget(device(available_bytes=2 * GIB), held=3 * GIB, reserve=0).have == 5 * GIB
    assert budget(device(), held=30 * GIB, reserve=0).have == 16 * GIB
    group = device(cgroup_limit_bytes=4 * GIB, cgroup_used_bytes=3 * GIB)
    assert budget(group, held=3 * GIB, reserve=0).have == 4 * GIB


def test_nothing_is_never_less_than_nothing() -> None:
    assert budget(device(available_bytes=MIB)).have == 0


@pytest.mark.parametrize(
    ("ram", "reserve"), [(1 * GIB, 256 * MIB), (8 * GIB, 512 * MIB), (64 * GIB, GIB)]
)
def test_the_reserve_is_a_share_within_bounds(ram: int, reserve: int) -> None:
    assert default_reserve(ram) == reserve


def test_a_fit_compares_both() -> None:
    found = need(DENSE, Setup())
    room = budget(device(), cap=found.total)
    assert Fit(need=found, budget=room).ok
    assert not Fit(need=found, budget=msgspec.structs.replace(room, have=found.total - 1)).ok
