"""Geometries of made-up models, and which tensors each has, of which type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bench.tensors import Tensor, attention, feed_forward, mamba, norm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.mixes import Mix


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

    def blocks(self, mix: Mix, layer: int) -> Iterator[Tensor]:
        """The tensors of one layer."""
        yield from attention(self, mix, layer)
        yield from feed_forward(self, mix, layer)


class MambaShape(Shape, frozen=True, kw_only=True):
    """The geometry of a Mamba-2 model, or of a Granite hybrid where some layers attend.

    A plain Mamba-2 layer has no feed-forward; each layer of a hybrid has one.

    Attributes:
        attending: Layers with attention instead of a mixer; none makes a plain Mamba-2 model.
        state: Numbers a channel of the mixer remembers.
        ssm_heads: Heads of the mixer, each with a decay of its own.
        groups: Groups of heads that share what they write and read.
        kernel: Tokens the convolution sees.
    """

    attending: tuple[int, ...] = ()
    state: int = 64
    ssm_heads: int = 8
    groups: int = 1
    kernel: int = 4

    @property
    def architecture(self) -> str:
        """llama.cpp's name of the architecture."""
        return "granitehybrid" if self.attending else "mamba2"

    @property
    def inner(self) -> int:
        """Width of the mixer; llama.cpp takes no other expansion than 2."""
        return 2 * self.d_model

    def blocks(self, mix: Mix, layer: int) -> Iterator[Tensor]:
        """The tensors of one layer."""
        yield from (attention if layer in self.attending else mamba)(self, mix, layer)
        if self.attending:
            yield from feed_forward(self, mix, layer)


_TINY: Final = Shape(
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
)
SHAPES: Final[dict[str, Shape]] = {
    "30b-a3b": Shape(layers=48),
    # Real tensors and few layers: a token takes tens of milliseconds and the file fits a laptop.
    "overhead": Shape(layers=4),
    # So many that a token takes 20 to 60 ms on two cores of one machine or another, as on a board.
    "unhurried": Shape(layers=18),
    "half-unhurried": Shape(layers=10),
    # The depth, the experts and the routing of the 30B, a third as wide: 1.3 GB instead of 10.
    "narrow-a3b": Shape(layers=48, d_model=768, heads=12, head=64, ff=256, vocabulary=32_768),
    "dense-1.7b": Shape(layers=28, heads=16, kv_heads=8, experts=0, used=0, ff=6144),
    # A true layer beside a small vocabulary: attention weighs in it as it does in the whole model.
    "one-layer": Shape(layers=1, vocabulary=1024),
    "tiny": _TINY,
    # Large enough a vocabulary for the words of `bench.peer.prompts`.
    "tiny-spoken": msgspec.structs.replace(_TINY, vocabulary=20_480),
    "tiny-dense": msgspec.structs.replace(_TINY, experts=0, used=0, ff=512),
    # Next to no body, so that what is not llama_decode shows beside it.
    **{
        f"slight-{name}": Shape(
            layers=1,
            d_model=256,
            heads=4,
            kv_heads=1,
            head=64,
            experts=0,
            used=0,
            ff=256,
            vocabulary=vocabulary,
            context=16_384,
        )
        for name, vocabulary in (("1k", 1024), ("152k", 151_936))
    },
    "tiny-mamba2": MambaShape(
        layers=4,
        d_model=256,
        heads=0,
        kv_heads=0,
        experts=0,
        used=0,
        ff=0,
        vocabulary=512,
        context=2048,
    ),
    "tiny-hybrid": MambaShape(
        layers=4,
        d_model=256,
        heads=4,
        kv_heads=2,
        head=64,
        experts=4,
        used=2,
        ff=256,
        vocabulary=512,
        context=2048,
        attending=(1, 3),
    ),
}


def plan(shape: Shape, mix: Mix) -> list[Tensor]:
    """List every tensor of a model, in the order of the file."""
    embedding = (shape.vocabulary, shape.d_model)
    return [
        Tensor(name="token_embd.weight", shape=embedding, kind=mix.embedding),
        *(tensor for layer in range(shape.layers) for tensor in shape.blocks(mix, layer)),
        norm("output_norm.weight", shape.d_model),
        Tensor(name="output.weight", shape=embedding, kind=mix.output),
    ]


def bits_per_weight(tensors: list[Tensor]) -> float:
    """Mean bits of a weight over all tensors."""
    return 8 * sum(tensor.size for tensor in tensors) / sum(tensor.weights for tensor in tensors)
