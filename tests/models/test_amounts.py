from __future__ import annotations

import msgspec

from edged.models.amounts import amounts
from edged.models.made import Shape, parts

DENSE = Shape(layers=3, kind="q4_K", ff=512, width=256, heads=2, kv_heads=1, head=128)
EXPERTS = msgspec.structs.replace(DENSE, ff=256, experts=16, used=4, expert_kind="q2_K")


def test_a_dense_model_passes_every_matrix_for_each_decoded_token() -> None:
    found = amounts(DENSE, "decode")
    matrices = [part for part in parts(DENSE) if not part.ones and part.name.startswith("blk.")]
    assert found.dense == sum(part.nbytes for part in matrices)
    assert found.numbers == sum(part.dims[1] for part in matrices)
    assert found.heads == 3 * 2
    assert found.output > 0
    assert (found.blocks, found.chosen, found.routed, found.router, found.experts) == (
        3,
        0,
        0,
        0,
        0,
    )


def test_of_experts_the_used_ones_count() -> None:
    found = amounts(EXPERTS, "decode")
    experts = sum(part.nbytes for part in parts(EXPERTS) if "_exps" in part.name)
    assert found.experts == experts * 4 / 16
    assert found.routed == 3 * 4 * (256 + 256 + 256)
    assert found.router == 3 * 256 * 16 * 4
    assert found.chosen == 3


def test_a_prompt_passes_neither_the_output_nor_the_last_feed_forward() -> None:
    for shape in (DENSE, EXPERTS):
        decode, prefill = amounts(shape, "decode"), amounts(shape, "prefill")
        assert prefill.output == 0
        assert prefill.experts == decode.experts * 2 / 3
        assert prefill.chosen == decode.chosen * 2 // 3
        assert prefill.blocks == decode.blocks
    feed_forward = 3 * 512 * 256 // 256 * 144
    lacking = amounts(DENSE, "decode").dense - amounts(DENSE, "prefill").dense
    assert lacking == feed_forward
