"""The tensors of a made-up model, block by block."""

from __future__ import annotations

from math import expm1, log, prod
from typing import TYPE_CHECKING, Final

import msgspec

from bench.blocks import BLOCK_TYPES

if TYPE_CHECKING:
    from bench.mixes import Mix
    from bench.shapes import MambaShape, Shape

F32: Final = "F32"
F32_BYTES: Final = 4
# As Mamba-2 is initialised: heads remember from ten to a thousand tokens, and all stay finite.
FASTEST_DECAY: Final = 16.0
STEPS: Final = (0.001, 0.1)


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor of the plan.

    Attributes:
        name: As llama.cpp looks it up.
        shape: Slowest dimension first; the last one is the fan-in.
        kind: A key of BLOCK_TYPES, or F32.
        values: What it holds, repeated to its end; empty for random weights.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    values: tuple[float, ...] = ()

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


def norm(name: str, *shape: int) -> Tensor:
    """A norm's weights, all one."""
    return Tensor(name=name, shape=shape, kind=F32, values=(1.0,))


def attention(shape: Shape, mix: Mix, layer: int) -> list[Tensor]:
    """A layer's attention, with the norm before it; Qwen3's also norms queries and keys."""
    block = f"blk.{layer}"
    queries = shape.heads * shape.head
    keys = (shape.kv_heads * shape.head, shape.d_model)
    heads = ("attn_q_norm", "attn_k_norm") if shape.architecture.startswith("qwen3") else ()
    return [
        norm(f"{block}.attn_norm.weight", shape.d_model),
        Tensor(name=f"{block}.attn_q.weight", shape=(queries, shape.d_model), kind=mix.attention),
        Tensor(name=f"{block}.attn_k.weight", shape=keys, kind=mix.key_value),
        Tensor(name=f"{block}.attn_v.weight", shape=keys, kind=mix.key_value),
        Tensor(
            name=f"{block}.attn_output.weight",
            shape=(shape.d_model, queries),
            kind=mix.attention,
        ),
        *(norm(f"{block}.{name}.weight", shape.head) for name in heads),
    ]


def feed_forward(shape: Shape, mix: Mix, layer: int) -> list[Tensor]:
    """A layer's feed-forward, dense or of experts, with the norm before it."""
    block = f"blk.{layer}"
    experts = (shape.experts,) if shape.experts else ()
    suffix = "_exps.weight" if shape.experts else ".weight"
    inward = (*experts, shape.ff, shape.d_model)
    outward = (*experts, shape.d_model, shape.ff)
    down = mix.better_down if layer % mix.better_every == 0 else mix.down
    router = Tensor(name=f"{block}.ffn_gate_inp.weight", shape=(*experts, shape.d_model), kind=F32)
    return [
        norm(f"{block}.ffn_norm.weight", shape.d_model),
        *([router] if shape.experts else []),
        Tensor(name=f"{block}.ffn_gate{suffix}", shape=inward, kind=mix.gate),
        Tensor(name=f"{block}.ffn_up{suffix}", shape=inward, kind=mix.up),
        Tensor(name=f"{block}.ffn_down{suffix}", shape=outward, kind=down),
    ]


def mamba(shape: MambaShape, mix: Mix, layer: int) -> list[Tensor]:
    """A layer's Mamba-2 mixer, with the norm before it."""
    block = f"blk.{layer}"
    heads = shape.ssm_heads
    # What the convolution mixes: the input beside each group's B and C.
    mixed = shape.inner + 2 * shape.groups * shape.state
    inward = (shape.inner + mixed + heads, shape.d_model)
    outward = (shape.d_model, shape.inner)
    return [
        norm(f"{block}.attn_norm.weight", shape.d_model),
        Tensor(name=f"{block}.ssm_in.weight", shape=inward, kind=mix.attention),
        Tensor(name=f"{block}.ssm_conv1d.weight", shape=(mixed, shape.kernel), kind=F32),
        Tensor(name=f"{block}.ssm_conv1d.bias", shape=(mixed,), kind=F32, values=(0.0,)),
        Tensor(name=f"{block}.ssm_dt.bias", shape=(heads,), kind=F32, values=_steps(heads)),
        Tensor(name=f"{block}.ssm_a", shape=(heads, 1), kind=F32, values=_decays(heads)),
        norm(f"{block}.ssm_d", heads, 1),
        norm(f"{block}.ssm_norm.weight", shape.groups, shape.inner // shape.groups),
        Tensor(name=f"{block}.ssm_out.weight", shape=outward, kind=mix.attention),
    ]


def _decays(heads: int) -> tuple[float, ...]:
    return tuple(-(FASTEST_DECAY ** (head / heads)) for head in range(heads))


def _steps(heads: int) -> tuple[float, ...]:
    """Biases whose softplus are the time steps, evenly spread on a log scale."""
    shortest, longest = STEPS
    ratio = longest / shortest
    return tuple(log(expm1(shortest * ratio ** (head / heads))) for head in range(heads))
