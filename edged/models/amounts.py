"""How much of everything that costs time a token passes in a made-up model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from edged.models.made import parts

if TYPE_CHECKING:
    from edged.models.made import Part, Shape

Phase = Literal["decode", "prefill"]


class Amounts(NamedTuple):
    """Of one token.

    Attributes:
        blocks: Blocks.
        numbers: That matrices of every token give, a row each: they are normed, added, quantised.
        heads: Query heads of all blocks.
        dense: Bytes of those matrices, without the router and the output.
        output: Bytes of the matrix that gives the logits.
        chosen: Blocks with experts.
        routed: Numbers that the chosen experts give.
        router: Bytes of what chooses them.
        experts: Bytes of theirs.
    """

    blocks: int
    numbers: int
    heads: int
    dense: int
    output: int
    chosen: int
    routed: int
    router: int
    experts: int


def amounts(shape: Shape, phase: Phase) -> Amounts:
    """What a token passes.

    Of a prompt only the last token passes the last block's feed-forward and the output: llama.cpp
    computes no row there that nobody asks for.
    """
    end = f"blk.{shape.layers - 1}.ffn_"
    passed = [
        part
        for part in parts(shape)
        if not part.ones
        and part.name != "token_embd.weight"
        and (phase == "decode" or not part.name.startswith((end, "output")))
    ]
    dense = [part for part in passed if part.name.startswith("blk.") and not _routes(part)]
    routers = [part for part in passed if "_inp" in part.name]
    experts = [part for part in passed if "_exps" in part.name]
    share = shape.used / shape.experts if shape.experts else 0.0
    return Amounts(
        blocks=shape.layers,
        numbers=sum(part.dims[1] for part in dense),
        heads=shape.layers * shape.heads,
        dense=sum(part.nbytes for part in dense),
        output=sum(part.nbytes for part in passed if part.name == "output.weight"),
        chosen=len(routers),
        routed=sum(shape.used * part.dims[1] for part in experts),
        router=sum(part.nbytes for part in routers),
        experts=round(share * sum(part.nbytes for part in experts)),
    )


def _routes(part: Part) -> bool:
    return "_exps" in part.name or "_inp" in part.name
