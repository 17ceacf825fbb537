"""Which tensors a made-up model has, and of which type."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Final

import msgspec

from bench.blocks import BLOCK_TYPES

if TYPE_CHECKING:
    from bench.mixes import Mix

F32: Final = "F32"
F32_BYTES: Final = 4


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The geometry of a Qwen3 model.

    Attributes:
        layers: Blocks.
        d_model: Width of the residual stream.
        heads: Query heads.
        kv_heads: Key and value heads.
        head: Width of a head.
        experts: Experts in a layer; 0 makes a dense model.
        used: Experts that read each token.
        ff: Width of an expert, or of the dense feed-forward.
        vocabulary: Tokens.
        context: Tokens the model claims to have been trained on.
    """

    layers: int
    d_model: int = 2048
    heads: int = 32
    kv_heads: int = 4
    head: int = 128
    experts: int = 128
    used: int = 8
    ff: int = 768
    vocabulary: int = 151_936
    context: int = 40_960

    @property
    def architecture(self) -> str:
        """llama.cpp's name of the architecture."""
        return "qwen3moe" if self.experts else "qwen3"


SHAPES: Final = {
    "30b-a3b": Shape(layers=48),
    # Real tensors and few layers: a token takes tens of milliseconds and the file fits a laptop.
    "overhead": Shape(layers=4),
    "dense-1.7b": Shape(layers=28, heads=16, kv_heads=8, experts=0, used=0, ff=6144),
    "tiny": Shape(
        layers=2,
        d_model=256,
        heads=4,
        kv_heads=2,
        head=64,
        experts=4,
        used=2,
        ff=256,
        vocabulary=512,
        context=2048,
    ),
    "tiny-dense": Shape(
        layers=2,
        d_model=256,
        heads=4,
        kv_heads=2,
        head=64,
        experts=0,
        used=0,
        ff=512,
        vocabulary=512,
        context=2048,
    ),
}


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor of the plan.

    Attributes:
        name: As llama.cpp looks it up.
        shape: Slowest dimension first; the last one is the fan-in.
        kind: A key of BLOCK_TYPES, or F32.
        ones: A norm's weights, all one.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    ones: bool = False

    @property
    def weights(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        if self.kind == F32:
            return F32_BYTES * self.weights
        layout = BLOCK_TYPES[self.kind]
        return self.weights // layout.weights * layout.size


def plan(shape: Shape, mix: Mix) -> list[Tensor]:
    """List every tensor of a model, in the order of the file."""
    embedding = (shape.vocabulary, shape.d_model)
    tensors = [Tensor(name="token_embd.weight", shape=embedding, kind=mix.embedding)]
    for layer in range(shape.layers):
        tensors += [*_attention(shape, mix, layer), *_feed_forward(shape, mix, layer)]
    return [
        *tensors,
        _norm("output_norm.weight", shape.d_model),
        Tensor(name="output.weight", shape=embedding, kind=mix.output),
    ]


def bits_per_weight(tensors: list[Tensor]) -> float:
    """Mean bits of a weight over all tensors."""
    return 8 * sum(tensor.size for tensor in tensors) / sum(tensor.weights for tensor in tensors)


def _norm(name: str, width: int) -> Tensor:
    return Tensor(name=name, shape=(width,), kind=F32, ones=True)


def _attention(shape: Shape, mix: Mix, layer: int) -> list[Tensor]:
    block = f"blk.{layer}"
    queries = shape.heads * shape.head
    keys = (shape.kv_heads * shape.head, shape.d_model)
    return [
        _norm(f"{block}.attn_norm.weight", shape.d_model),
        Tensor(name=f"{block}.attn_q.weight", shape=(queries, shape.d_model), kind=mix.attention),
        Tensor(name=f"{block}.attn_k.weight", shape=keys, kind=mix.key_value),
        Tensor(name=f"{block}.attn_v.weight", shape=keys, kind=mix.key_value),
        Tensor(
            name=f"{block}.attn_output.weight",
            shape=(shape.d_model, queries),
            kind=mix.attention,
        ),
        _norm(f"{block}.attn_q_norm.weight", shape.head),
        _norm(f"{block}.attn_k_norm.weight", shape.head),
    ]


def _feed_forward(shape: Shape, mix: Mix, layer: int) -> list[Tensor]:
    block = f"blk.{layer}"
    experts = (shape.experts,) if shape.experts else ()
    suffix = "_exps.weight" if shape.experts else ".weight"
    inward = (*experts, shape.ff, shape.d_model)
    outward = (*experts, shape.d_model, shape.ff)
    down = mix.better_down if layer % mix.better_every == 0 else mix.down
    router = Tensor(name=f"{block}.ffn_gate_inp.weight", shape=(*experts, shape.d_model), kind=F32)
    return [
        _norm(f"{block}.ffn_norm.weight", shape.d_model),
        *([router] if shape.experts else []),
        Tensor(name=f"{block}.ffn_gate{suffix}", shape=inward, kind=mix.gate),
        Tensor(name=f"{block}.ffn_up{suffix}", shape=inward, kind=mix.up),
        Tensor(name=f"{block}.ffn_down{suffix}", shape=outward, kind=down),
    ]
